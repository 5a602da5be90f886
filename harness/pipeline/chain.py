"""Take a GraphDef through the chain of preparation, and check its labels on the workload after every step."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from harness.core.agreement import accuracy, agreement
from harness.core.chain import Chain, ChainStep, Step, TopLabel
from harness.core.jobs import Blob
from harness.core.model_io import ModelIO
from harness.core.value import Value
from harness.core.workload import Workload
from harness.errors import ModelError
from harness.models.source import SourceFormat, SourceModel
from harness.pipeline.progress import Progress
from harness.shards.pool import ShardPool
from harness.transforms.requests import (
    Answer,
    FoldBatchNorms,
    MemoryMap,
    Request,
    Restore,
    RoundWeights,
    Strip,
)
from harness.transforms.steps import run_step
from harness.variants.compress import deflated_bytes
from harness.wire.blobs import BlobStore
from harness.wire.strict_json import write_value
from harness.workloads.reference import compute_reference

_CACHE_VERSION = 1
_SHOWN_LABELS = 5


class _Done(Value):
    """What the cache remembers of a step. ``runnable`` is the form that TensorFlow's Python API can open."""

    graph: Blob
    runnable: Blob
    duration_s: float
    answer: Answer


def run_chain(
    source: SourceModel,
    io: ModelIO,
    steps: Sequence[Step],
    workload: Workload,
    store: BlobStore,
    progress: Progress,
    pool: ShardPool | None = None,
) -> Chain:
    """The chain of ``source`` through ``steps``, each on the result of the one before.

    Steps and outputs are remembered below ``store.root``. A step that must keep values and does not is an error of
    the step itself. ``pool``: see ``compute_reference``.

    Raises:
        ModelError: the source is not a GraphDef, names no input and output, or a step refused it.
    """
    if source.format is not SourceFormat.GRAPHDEF:
        raise ModelError(
            f"the chain of steps is for a GraphDef, not for {source.format.value}",
            where=str(source.path),
            next_step="Remove [chain] from the suite, or name a frozen graph (.pb).",
        )
    if not io.input or not io.output:
        raise ModelError(
            "the chain needs to know between which nodes to keep the graph",
            where=str(source.path),
            next_step="Set model.input and model.output in the suite; harness inspect lists the nodes.",
        )
    graph = runnable = store.put_file(source.path)
    before = _outputs(runnable, io, workload, store, pool)
    judge = _Judge(before, workload, store)
    found: list[ChainStep] = []
    for step in steps:
        progress.variant_state(step.value, "converting", 0.0)
        done = _carry_out(step, runnable, io, workload, store)
        if not found:
            found.append(judge.step(Step.SOURCE, graph, before, nodes=done.answer.nodes_before))
        runnable = done.runnable
        found.append(
            judge.step(
                step,
                done.graph,
                _outputs(runnable, io, workload, store, pool),
                nodes=done.answer.nodes_after or done.answer.nodes_before,
                duration_s=done.duration_s,
                remarks=_remarks(done.answer),
            )
        )
        progress.variant_state(step.value, "done", done.duration_s)
    return Chain(shown_input=judge.shown_input, steps=tuple(found))


def _carry_out(step: Step, graph: Blob, io: ModelIO, workload: Workload, store: BlobStore) -> _Done:
    request = _request(step, str(store.path(graph)), io, workload)
    parts = (str(_CACHE_VERSION), request.model_dump_json())
    entry = store.root / "steps" / f"{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()}.json"
    try:
        remembered = _Done.model_validate_json(entry.read_bytes())
        if store.has(remembered.graph) and store.has(remembered.runnable):
            return remembered
    except (OSError, ValidationError):
        pass
    with tempfile.TemporaryDirectory(prefix="harness-chain-") as folder:
        result = Path(folder) / "result"
        started_s = time.monotonic()
        answer = run_step(request.model_copy(update={"result": str(result)}))
        duration_s = time.monotonic() - started_s
        written = runnable = store.put_file(result)
        if step is Step.MEMORY_MAP:
            # TensorFlow's Python API cannot open the mapped form: what is run is that form read back.
            restored = Path(folder) / "restored"
            run_step(Restore(graph=str(result), result=str(restored)))
            runnable = store.put_file(restored)
    done = _Done(graph=written, runnable=runnable, duration_s=duration_s, answer=answer)
    write_value(entry, done)
    return done


def _request(step: Step, graph: str, io: ModelIO, workload: Workload) -> Request:
    inputs, outputs = (io.input,), (io.output,)
    match step:
        case Step.STRIP:
            shape = workload.encoding.shape
            batched = (1, *shape) if workload.encoding.kind == "pixels" else shape
            return Strip(graph=graph, result="", inputs=inputs, outputs=outputs, shapes={io.input: batched})
        case Step.FOLD:
            return FoldBatchNorms(graph=graph, result="", inputs=inputs, outputs=outputs)
        case Step.ROUND:
            return RoundWeights(graph=graph, result="", inputs=inputs, outputs=outputs)
        case Step.MEMORY_MAP:
            return MemoryMap(graph=graph, result="")
    raise AssertionError(step)


def _outputs(
    graph: Blob, io: ModelIO, workload: Workload, store: BlobStore, pool: ShardPool | None
) -> NDArray[np.float32]:
    reference = compute_reference(
        store.path(graph), SourceFormat.GRAPHDEF.value, workload, store, store.root, io=io, pool=pool
    )
    return np.fromfile(store.path(reference.outputs), "<f4").reshape(-1, reference.classes)


class _Judge:
    """Holds a step's outputs against the source's, on the whole workload."""

    def __init__(self, before: NDArray[np.float32], workload: Workload, store: BlobStore) -> None:
        self._before = before
        self._workload = workload
        self._store = store
        self._names = [entry.name for entry in workload.inputs]
        self._truths = [entry.truth for entry in workload.inputs]
        self._shown = next((row for row, truth in enumerate(self._truths) if truth is not None), 0)

    @property
    def shown_input(self) -> str:
        return self._names[self._shown]

    def step(
        self,
        step: Step,
        graph: Blob,
        outputs: NDArray[np.float32],
        *,
        nodes: int,
        duration_s: float = 0.0,
        remarks: tuple[str, ...] = (),
    ) -> ChainStep:
        right = accuracy(self._before, outputs, self._truths)
        best = np.argsort(-outputs[self._shown], kind="stable")[:_SHOWN_LABELS]
        return ChainStep(
            step=step,
            graph=graph,
            compressed_bytes=deflated_bytes(self._store.path(graph)),
            nodes=nodes,
            duration_s=duration_s,
            remarks=remarks,
            agreement=agreement(
                self._before,
                outputs,
                names=self._names,
                truths=self._truths,
                output_kind=self._workload.output_kind,
            ),
            accuracy=right.variant if right else None,
            top_labels=tuple(
                TopLabel(label=self._workload.label(int(index)), score=float(outputs[self._shown, index]))
                for index in best
            ),
        )


def _remarks(answer: Answer) -> tuple[str, ...]:
    said = []
    if answer.folded:
        said.append(f"{len(answer.folded)} batch norms folded")
    if answer.rounded is not None:
        said.append(f"{answer.rounded} weight tensors rounded")
    if answer.mapped_tensors is not None and answer.mapped_bytes is not None:
        said.append(f"{answer.mapped_tensors} tensors mapped, {answer.mapped_bytes / 1e6:.1f} MB")
    if answer.nodes_after is not None and answer.nodes_after < answer.nodes_before:
        said.append(f"{answer.nodes_before - answer.nodes_after} nodes gone")
    said += [f"left alone: {node.node}: {node.reason}" for node in answer.left_alone]
    return tuple(said)

"""``python -m harness.variants.inspection_worker REQUEST REPLY``: looks into a graph with TensorFlow at hand.

TensorFlow and its converter crash and leak; here they take nothing else with them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.inspection import Inspection, TensorSummary, count_ops, element_count, total_weights
from harness.core.op_check import GraphOps, Proof
from harness.errors import HarnessError, ModelError
from harness.models.checkpoint import find_checkpoint
from harness.models.frozen_graph import choose_signature, read_meta_graph
from harness.models.graph_ends import refuse_writing
from harness.models.keras import load_keras
from harness.models.keras_h5 import load_keras_h5
from harness.transforms.freeze import freeze
from harness.transforms.graph import node_names
from harness.transforms.graph_inspection import PARAMETER_TYPES, inspect_graph, named_ops
from harness.transforms.graphdef_file import read_graphdef, read_graphdef_or_meta, write_atomically
from harness.transforms.needed_ops import NeededPart, needed_part, selective_registration_header
from harness.variants import inspection_requests as requests
from harness.variants.conversion_attempt import try_graph, try_loading, try_saved_model
from harness.variants.inspection_requests import Reply
from harness.variants.saved_model_graph import frozen_signature, signatures, variables


def inspect(request: requests.Inspect) -> Inspection:
    """Describe the model without running it; Keras models are built, in safe mode.

    Raises:
        ModelError: it is damaged.
    """
    path = Path(request.path)
    match request.format:
        case "graphdef":
            return _inspect_graph(read_graphdef(path), request)
        case "checkpoint":
            files = find_checkpoint(path)
            described = _inspect_graph(read_graphdef_or_meta(files.graph), request)
            return _with_variables(described, files.prefix)
        case "saved-model":
            meta = read_meta_graph(path)
            described = _inspect_graph(meta.graph_def, request)
            found = signatures(meta)
            named = next((entry for entry in found if entry.key == "serving_default"), None)
            if named is None and found:
                named = found[0]
            return _with_variables(described, path / "variables" / "variables").model_copy(
                update={
                    "signatures": found,
                    "inputs": named.inputs if named else described.inputs,
                    "outputs": named.outputs if named else described.outputs,
                }
            )
        case _:
            return _inspect_keras(_keras(request.format, path), request)


def _inspect_graph(graph: Any, request: requests.Inspect) -> Inspection:
    return inspect_graph(
        graph,
        path=request.path,
        source_format=request.format,
        size_bytes=request.bytes,
        sha256=request.sha256,
    )


def _with_variables(described: Inspection, prefix: Path) -> Inspection:
    """The graph's constants are counted with the checkpoint's variables."""
    stored = variables(prefix)
    if not stored:
        return described
    totals, largest = total_weights(stored)
    return described.model_copy(
        update={
            "parameters": described.parameters
            + sum(element_count(weight.shape) for weight in stored if weight.dtype in PARAMETER_TYPES),
            "weights": (*totals, *described.weights),
            "largest_weights": largest,
        }
    )


def _keras(source_format: str, path: Path) -> Any:
    return load_keras(path) if source_format == "keras" else load_keras_h5(path)


def _inspect_keras(model: Any, request: requests.Inspect) -> Inspection:
    from harness.core.inspection import WeightTensor

    def summary(tensor: Any) -> TensorSummary:
        shape = tuple(-1 if extent is None else int(extent) for extent in tensor.shape)
        return TensorSummary(name=tensor.name, dtype=str(tensor.dtype), shape=shape)

    layers = list(model._flatten_layers(include_self=False))
    weights = [
        WeightTensor(
            name=str(variable.path),
            dtype=str(variable.dtype),
            shape=tuple(variable.shape),
            bytes=element_count(variable.shape) * variable.numpy().itemsize,
        )
        for variable in model.weights
    ]
    totals, largest = total_weights(weights)
    return Inspection(
        path=request.path,
        format=request.format,
        bytes=request.bytes,
        sha256=request.sha256,
        inputs=tuple(map(summary, getattr(model, "inputs", None) or ())),
        outputs=tuple(map(summary, getattr(model, "outputs", None) or ())),
        nodes=len(layers),
        ops=count_ops((type(layer).__name__, str(layer.name)) for layer in layers),
        ops_are="layers",
        parameters=sum(element_count(w.shape) for w in weights if w.dtype in PARAMETER_TYPES),
        weights=totals,
        largest_weights=largest,
    )


Say = Callable[[Reply], None]


def check(request: requests.Check, say: Say) -> None:
    """Say which ops are needed, then whether the converter takes them: a crash of it loses only the second.

    Raises:
        ModelError: the model is damaged, or the names do not fit it.
    """
    path = Path(request.path)
    match request.format:
        case "graphdef":
            _check_graph(read_graphdef(path), request, say)
        case "checkpoint":
            files = find_checkpoint(path)
            graph = read_graphdef_or_meta(files.graph)
            ends = needed_part(graph, request.inputs, request.outputs)
            names = [tensor.name for tensor in (*ends.outputs, *ends.inputs)]
            _check_graph(freeze(files.graph, files.prefix, outputs=names), request, say, ends)
        case "saved-model":
            _check_saved_model(path, request, say)
        case _:
            from harness.variants.convert import _export_with_batch_of_one

            with tempfile.TemporaryDirectory(prefix="harness-check-") as folder:
                _export_with_batch_of_one(_keras(request.format, path), Path(folder))
                _check_loaded(Path(folder), "serve", request, say)


def _check_graph(graph: Any, request: requests.Check, say: Say, ends: NeededPart | None = None) -> None:
    inputs = tuple(t.name for t in ends.inputs) if ends else request.inputs
    outputs = tuple(t.name for t in ends.outputs) if ends else request.outputs
    part = needed_part(graph, inputs, outputs)
    found = _graph_ops(part, request)
    say(Reply(ops=found))
    say(Reply(ops=found.model_copy(update={"proof": _proof(part)})))


def _proof(part: NeededPart) -> Proof:
    if part.obstacle is not None:
        return Proof(outcome="not tried", reason=part.obstacle)
    if part.unregistered:
        # The converter cannot even import the graph; what it would say is known.
        return Proof(
            outcome="not tried",
            reason=f"TensorFlow does not know {', '.join(part.unregistered[:3])}: they would be custom operators",
        )
    return try_graph(part.graph, [t.name for t in part.inputs], [t.name for t in part.outputs])


def _check_saved_model(folder: Path, request: requests.Check, say: Say) -> None:
    meta = read_meta_graph(folder)
    key = choose_signature(meta.signature_def, request.signature)
    # TensorFlow 2 writes the Python objects of the model beside its one graph.
    if meta.object_graph_def.nodes:
        if request.inputs or request.outputs:
            raise ModelError(
                "a SavedModel of TensorFlow 2 is checked from its signature, not from nodes",
                where=request.path,
                next_step="Leave out --input and --output; --signature names another signature.",
            )
        refuse_writing(meta.graph_def, with_saver=True)
        _check_loaded(folder, key, request, say)
        return
    entry = meta.signature_def[key]
    inputs = request.inputs or tuple(info.name for info in entry.inputs.values())
    outputs = request.outputs or tuple(info.name for info in entry.outputs.values())
    graph = meta.graph_def
    if (folder / "variables").is_dir():
        with tempfile.TemporaryDirectory(prefix="harness-check-") as work:
            whole = Path(work) / "graph.meta"
            whole.write_bytes(meta.SerializeToString())
            graph = freeze(whole, folder / "variables" / "variables", outputs=node_names((*outputs, *inputs)))
    _check_graph(graph, request.model_copy(update={"inputs": inputs, "outputs": outputs}), say)


def _check_loaded(folder: Path, signature: str, request: requests.Check, say: Say) -> None:
    frozen = frozen_signature(folder, signature)
    part = needed_part(frozen.graph, frozen.inputs, tuple(dict.fromkeys(frozen.outputs)))
    found = _graph_ops(part, request)
    say(Reply(ops=found))
    # The build converts the SavedModel, not the frozen graph: so does the proof.
    say(Reply(ops=found.model_copy(update={"proof": try_saved_model(folder, signature)})))


def _graph_ops(part: NeededPart, request: requests.Check) -> GraphOps:
    return GraphOps(
        inputs=part.inputs,
        outputs=part.outputs,
        nodes=sum(1 for _ in named_ops(part.graph)),
        ops=part.ops,
        functions=part.functions,
        unregistered=part.unregistered,
        better_input=part.better_input,
        proof=Proof(outcome="not tried", reason="the conversion did not end"),
        header=selective_registration_header(part.graph) if request.wants_header else None,
    )


def main(arguments: list[str]) -> int:
    """Read the request, do it, write the reply. Returns 0 when the last reply was written."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    request_path, reply_path = (Path(argument) for argument in arguments)
    request = requests.REQUEST.validate_json(request_path.read_bytes())

    def say(reply: Reply) -> None:
        write_atomically(reply_path, [reply.model_dump_json().encode()])

    try:
        if isinstance(request, requests.Inspect):
            say(Reply(inspection=inspect(request)))
        elif isinstance(request, requests.Check):
            check(request, say)
        else:
            say(Reply(proof=try_loading(Path(request.path))))
    except HarnessError as error:
        refusal = requests.Refusal(
            problem=error.problem, where=error.where or request.path, next_step=error.next_step
        )
        say(Reply(refusal=refusal))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

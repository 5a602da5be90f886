"""What a ``.tflite`` holds, from its bytes alone: no runtime is imported and nothing runs."""

from __future__ import annotations

from pathlib import Path

from harness.core.inspection import MOST_PLACES, Inspection, Metadata, OpCount, TensorSummary, total_weights
from harness.core.op_check import OperatorUse
from harness.models.flatbuffer import FlatbufferError
from harness.models.tflite_contents import OpenedTflite, TfliteContents
from harness.models.tflite_metadata import packed_files, read_metadata


def inspect_tflite(path: Path, *, size_bytes: int, sha256: str) -> Inspection:
    """Describe the model in ``path``, whose size and hash the caller knows.

    Raises:
        ModelError: it cannot be read, is truncated, or is no .tflite.
    """
    with OpenedTflite(path) as model:
        totals, largest = total_weights(model.weights())
        uses = model.operator_uses()
        counts: dict[str, OpCount] = {}
        for use in uses:
            before = counts.get(use.op)
            counts[use.op] = OpCount(
                op=use.op,
                count=use.count + (before.count if before else 0),
                where=((before.where if before else ()) + use.where)[:MOST_PLACES],
            )
        inputs, outputs = model.interface()
        return Inspection(
            path=str(path),
            format="tflite",
            bytes=size_bytes,
            sha256=sha256,
            inputs=inputs,
            outputs=outputs,
            signatures=model.signatures(),
            nodes=sum(use.count for use in uses),
            ops=tuple(sorted(counts.values(), key=lambda op: (-op.count, op.op))),
            ops_are="operators",
            parameters=model.parameters(),
            weights=totals,
            largest_weights=largest,
            metadata=_metadata(model, path),
        )


def operator_uses(path: Path) -> tuple[tuple[OperatorUse, ...], int]:
    """The kinds of operators in the model in ``path``, and the number of operators.

    Raises:
        ModelError: as ``inspect_tflite``.
    """
    with OpenedTflite(path) as model:
        uses = model.operator_uses()
        return uses, sum(use.count for use in uses)


def tflite_interface(path: Path) -> tuple[tuple[TensorSummary, ...], tuple[TensorSummary, ...]]:
    """Inputs and outputs of the model in ``path``.

    Raises:
        ModelError: as ``inspect_tflite``.
    """
    with OpenedTflite(path) as model:
        return model.interface()


def _metadata(model: TfliteContents, path: Path) -> Metadata | None:
    label_files: frozenset[str] = frozenset()
    entries: tuple[tuple[str, str], ...] = ()
    problem = None
    packed = model.metadata_bytes()
    if packed is not None:
        try:
            entries, label_files = read_metadata(packed)
        except FlatbufferError as error:
            problem = f"the metadata is damaged: {error}"
    files, files_problem = packed_files(path, label_files)
    if not entries and not files and problem is None and files_problem is None:
        return None
    return Metadata(entries=entries, files=files, problem=problem or files_problem)

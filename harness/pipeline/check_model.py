"""Whether the runtime on the phone has the ops that a model needs, before anything is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.core.op_check import (
    BinarySize,
    OpCheck,
    Proof,
    Route,
    judge_conversion,
    judge_mobile_2016,
    judge_operators,
)
from harness.errors import TargetError, UsageError
from harness.models.files import hash_file
from harness.models.inspect_tflite import operator_uses, tflite_interface
from harness.models.op_lists import litert_ops, mobile_2016_ops, tflite_lowerings
from harness.models.source import open_source
from harness.pipeline.inspect_model import graph_format, is_tflite
from harness.targets.local import find_runtime_library
from harness.variants.inspection_process import ask
from harness.variants.inspection_requests import Check, Load

MOBILE_2016: Final = "the mobile TensorFlow of 2016"
DOCUMENTED_SIZES: Final = (
    BinarySize(
        what=f"{MOBILE_2016} with its standard ops, in an app",
        bytes=12_000_000,
        basis="documented",
        source="TensorFlow Mobile, Optimizing for mobile, Binary size",
    ),
    BinarySize(
        what="the same with only the ops of Inception v3 (selective registration)",
        bytes=1_500_000,
        basis="documented",
        source="TensorFlow Mobile, Optimizing for mobile, Binary size",
    ),
)


def check_model(
    path: Path,
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    signature: str = "",
    deciding: Route = Route.LITERT,
    header: Path | None = None,
) -> OpCheck:
    """Judge every op of the model in ``path``, and write the selective registration header to ``header``.

    Raises:
        ModelError: missing, damaged, no model, or the names are not in it.
        UsageError: an option that the format has no use for.
    """
    if is_tflite(path):
        if inputs or outputs or signature or header is not None or deciding is not Route.LITERT:
            raise UsageError(
                "a .tflite is checked whole and for LiteRT only",
                where=str(path),
                next_step="Leave out --input, --output, --signature, --header and --route.",
            )
        return _check_tflite(path)
    source = open_source(path)
    reply = ask(
        Check(
            path=str(source.path),
            format=graph_format(source),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            signature=signature,
            wants_header=header is not None,
        )
    )
    graph = reply.ops
    assert graph is not None
    if header is not None and graph.header is not None:
        header.write_text(graph.header, encoding="utf-8")
    return OpCheck(
        path=str(path),
        format=source.format.value,
        sha256=source.sha256,
        nodes=graph.nodes,
        inputs=graph.inputs,
        outputs=graph.outputs,
        deciding=deciding,
        routes=(
            judge_conversion(graph, tflite_lowerings(), _litert()),
            judge_mobile_2016(graph, mobile_2016_ops(), MOBILE_2016),
        ),
        better_input=graph.better_input,
        binary_sizes=(*_measured_size(), *DOCUMENTED_SIZES),
        header=str(header) if header is not None else None,
    )


def _check_tflite(path: Path) -> OpCheck:
    uses, count = operator_uses(path)
    inputs, outputs = tflite_interface(path)
    sha256, _ = hash_file(path)
    proof = ask(Load(path=str(path.resolve()))).proof
    return OpCheck(
        path=str(path),
        format="tflite",
        sha256=sha256,
        nodes=count,
        inputs=inputs,
        outputs=outputs,
        deciding=Route.LITERT,
        routes=(
            judge_operators(
                uses, litert_ops(), proof or Proof(outcome="not tried", reason="no answer"), _litert()
            ),
        ),
        binary_sizes=_measured_size(),
    )


def _litert() -> str:
    try:
        return f"LiteRT {find_runtime_library().version}"
    except TargetError:
        return "LiteRT"


def _measured_size() -> tuple[BinarySize, ...]:
    try:
        library = find_runtime_library()
    except TargetError:
        return ()
    return (
        BinarySize(
            what="LiteRT with all its builtin operators, for this platform",
            bytes=library.path.stat().st_size,
            basis="measured",
            source=f"{library.path.name} of the installed ai-edge-litert {library.version}",
        ),
    )

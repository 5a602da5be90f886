"""``harness inspect`` and ``harness check`` as text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.cells import cell_len

from harness.core.events import Quantization
from harness.core.inspection import (
    GraphFacts,
    Inspection,
    Metadata,
    OpCount,
    PackedFile,
    Signature,
    TensorSummary,
    WeightTensor,
    WeightTotal,
)
from harness.core.op_check import (
    BinarySize,
    CheckedOp,
    OpCheck,
    OpStatus,
    Proof,
    Route,
    RouteCheck,
)
from harness.render.inspection import terminal_inspection
from harness.render.op_check import terminal_op_check

HOSTILE = "evil\x1b[2J\nname\u202e [red]x[/]"


def inspection(name: str = "image") -> Inspection:
    x = TensorSummary(
        name=name,
        dtype="int8",
        shape=(-1, 8, 8, 3),
        quantization=Quantization(scale=0.0078125, zero_point=-128),
    )
    y = TensorSummary(name="scores", dtype="float32")
    return Inspection(
        path=f"models/{name}.pb",
        format="graphdef",
        bytes=1_234_567,
        sha256="ab" * 32,
        inputs=(x,),
        outputs=(y,),
        signatures=(Signature(key=name, inputs=(x,), outputs=(y,)),),
        nodes=1300,
        ops=(
            OpCount(op="Conv2D", count=1200, where=(f"a/{name}", "b", "c")),
            OpCount(op="Softmax", count=1, where=("scores",)),
        ),
        ops_are="nodes",
        parameters=308_000,
        weights=(WeightTotal(dtype="float32", tensors=4, elements=308_000, bytes=1_232_000),),
        largest_weights=(WeightTensor(name=name, dtype="float32", shape=(1000, 300), bytes=1_200_000),),
        metadata=Metadata(
            entries=(("name", name), ("licence", "Apache-2.0")),
            files=(
                PackedFile(name="labels.txt", bytes=80, label_count=1001, labels=(name, *"bcdefg")),
                PackedFile(name="vocabulary.bin", bytes=2048),
            ),
            problem="2 more packed files are not listed",
        ),
        graph=GraphFacts(
            producer=21,
            min_consumer=0,
            functions=(name,),
            leftovers=(OpCount(op="ReluGrad", count=3),),
            variables=2,
            input_candidates=(x,),
            output_candidates=(y,),
        ),
    )


def check(name: str = "DecodeJpeg") -> OpCheck:
    where = (f"model/with/a/very/long/scope/that/hides/the/rest/{name}",)
    lacks = CheckedOp(
        op=name, count=1, where=where, status=OpStatus.LACKS, what_to_do=f"Strip: give --input {name}."
    )
    x = TensorSummary(name=name, dtype="string", shape=())
    return OpCheck(
        path=f"{name}.pb",
        format="graphdef",
        sha256="ab" * 32,
        nodes=1300,
        inputs=(x,),
        outputs=(x,),
        deciding=Route.LITERT,
        routes=(
            RouteCheck(
                route=Route.LITERT,
                runtime="LiteRT 2.3.0",
                ops=(
                    lacks,
                    CheckedOp(op="AddV2", count=107, where=("a", "b"), status=OpStatus.HAS),
                    CheckedOp(op="Conv2D", count=1200, where=("c",), status=OpStatus.HAS),
                ),
                proof=Proof(outcome="refused", reason=f"no {name}"),
            ),
            RouteCheck(
                route=Route.MOBILE_2016,
                runtime="mobile TensorFlow",
                ops=(
                    lacks,
                    CheckedOp(op="AddV2", count=107, where=(), status=OpStatus.LACKS, what_to_do="Use Add."),
                    CheckedOp(op="Conv2D", count=1200, where=("c",), status=OpStatus.HAS),
                ),
            ),
        ),
        binary_sizes=(
            BinarySize(what="the library", bytes=8_039_424, basis="measured", source="libLiteRt.so"),
            BinarySize(what="all ops", bytes=12_000_000, basis="documented", source="a document"),
        ),
    )


def test_the_whole_inspection(shown: Callable[..., str], check_snapshot: Callable[[str, str], None]) -> None:
    check_snapshot("inspection-100.txt", shown(terminal_inspection(inspection()), 100))


def test_the_whole_check(shown: Callable[..., str], check_snapshot: Callable[[str, str], None]) -> None:
    check_snapshot("op-check-110.txt", shown(terminal_op_check(check()), 110))


@pytest.mark.parametrize(("width", "encoding"), [(80, "utf-8"), (60, "ascii"), (100, "cp1252")])
def test_both_fit_narrow_and_ascii_consoles(shown: Callable[..., str], width: int, encoding: str) -> None:
    for renderable in (terminal_inspection(inspection()), terminal_op_check(check())):
        text = shown(renderable, width, encoding)
        assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "measured here" in " ".join(shown(terminal_op_check(check()), 120, encoding).split())


def test_names_from_a_file_cannot_drive_the_terminal(shown: Callable[..., str]) -> None:
    for renderable in (terminal_inspection(inspection(HOSTILE)), terminal_op_check(check(HOSTILE))):
        text = shown(renderable, 200)
        assert "\x1b" not in text and "\u202e" not in text
        assert "\\x1b[2J name\\u202e [red]x[/]" in text


def test_an_endless_name_is_cut(shown: Callable[..., str]) -> None:
    text = shown(terminal_inspection(inspection("n" * 5000)), 100)
    assert len(text) < 6000


def test_without_a_proof_it_says_what_was_not_tried(shown: Callable[..., str]) -> None:
    given = check()
    route = RouteCheck(
        route=Route.LITERT,
        runtime="LiteRT",
        ops=(CheckedOp(op="Odd", count=1, where=("o",), status=OpStatus.UNKNOWN, what_to_do="Convert."),),
        proof=Proof(outcome="not tried", reason="the graph is not frozen"),
    )
    text = shown(terminal_op_check(given.model_copy(update={"routes": (route,)})), 100)
    assert "? LiteRT undecided" in text and "not tried: the graph is not frozen" in text

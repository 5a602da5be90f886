from __future__ import annotations

import pytest

from harness.core.inspection import OpCount, TensorSummary, WeightTensor, count_ops, total_weights
from harness.core.op_advice import advice, leftover_family
from harness.core.op_check import (
    GraphOps,
    LitertOps,
    OperatorUse,
    OpStatus,
    Proof,
    RouteCheck,
    judge_conversion,
    judge_mobile_2016,
    judge_operators,
)
from harness.core.verdict import Answer

LOWERINGS = {"Relu": True, "Erf": False, "DecodeJpeg": False}
NOT_TRIED = Proof(outcome="not tried", reason="no time")


def graph(*ops: str, proof: Proof = NOT_TRIED, unregistered: tuple[str, ...] = ()) -> GraphOps:
    x = TensorSummary(name="x", dtype="float32")
    counted = count_ops((op, f"{op.lower()}_{index}") for index, op in enumerate(ops))
    return GraphOps(
        inputs=(x,),
        outputs=(x,),
        nodes=len(ops),
        ops=counted,
        unregistered=unregistered,
        better_input="Mul",
        proof=proof,
    )


def statuses(check: RouteCheck) -> dict[str, OpStatus]:
    return {op.op: op.status for op in check.ops}


def test_ops_are_counted_with_their_first_places() -> None:
    named = [("Relu", f"r{index}") for index in range(7)] + [("Add", "a"), ("Conv2D", "c")]
    counted = count_ops(named)
    assert [(op.op, op.count) for op in counted] == [("Relu", 7), ("Add", 1), ("Conv2D", 1)]
    assert counted[0].where == ("r0", "r1", "r2", "r3", "r4")


def test_weights_are_totalled_by_type_heaviest_first() -> None:
    weights = [
        WeightTensor(name="a", dtype="int8", shape=(10,), bytes=10),
        WeightTensor(name="b", dtype="float32", shape=(2, 3), bytes=24),
        WeightTensor(name="c", dtype="int8", shape=(5,), bytes=5),
    ]
    totals, largest = total_weights(weights)
    assert [(t.dtype, t.tensors, t.elements, t.bytes) for t in totals] == [
        ("float32", 1, 6, 24),
        ("int8", 2, 15, 15),
    ]
    assert [weight.name for weight in largest] == ["b", "a", "c"]


def test_without_a_conversion_the_table_speaks_and_nothing_passes() -> None:
    check = judge_conversion(graph("Relu", "Mystery", "Const"), LOWERINGS, "LiteRT")
    assert statuses(check) == {
        "Relu": OpStatus.HAS,
        "Mystery": OpStatus.UNKNOWN,
        "Const": OpStatus.HAS,
    }
    assert check.answer is Answer.UNDECIDED
    assert judge_conversion(graph("Relu"), LOWERINGS, "LiteRT").answer is Answer.UNDECIDED
    assert judge_conversion(graph("Relu", "Erf"), LOWERINGS, "LiteRT").answer is Answer.FAIL


def test_a_conversion_that_works_overrules_the_table() -> None:
    works = Proof(outcome="works", tflite_bytes=100)
    check = judge_conversion(graph("Relu", "Erf", "Mystery", proof=works), LOWERINGS, "LiteRT")
    assert statuses(check) == {
        "Erf": OpStatus.FOLDED,
        "Relu": OpStatus.HAS,
        "Mystery": OpStatus.HAS,
    }
    assert check.answer is Answer.PASS


def test_what_the_converter_names_lacks_and_the_rest_does_not() -> None:
    refused = Proof(
        outcome="refused",
        lacking=(OpCount(op="DecodeJpeg", count=1), OpCount(op="TensorListReserve", count=2, where=("l",))),
    )
    check = judge_conversion(graph("Relu", "DecodeJpeg", "Mystery", proof=refused), LOWERINGS, "LiteRT")
    assert statuses(check) == {
        "DecodeJpeg": OpStatus.LACKS,
        "TensorListReserve": OpStatus.LACKS,
        "Relu": OpStatus.HAS,
        "Mystery": OpStatus.HAS,
    }
    by_op = {op.op: op for op in check.ops}
    assert by_op["DecodeJpeg"].where == ("decodejpeg_1",)
    assert "--input Mul" in by_op["DecodeJpeg"].what_to_do
    assert by_op["TensorListReserve"].where == ("l",)
    assert [op.status for op in check.ops[:2]] == [OpStatus.LACKS, OpStatus.LACKS]
    assert check.answer is Answer.FAIL


def test_a_refusal_that_names_no_op_fails_too() -> None:
    check = judge_conversion(
        graph("Relu", proof=Proof(outcome="refused", reason="it crashed")), LOWERINGS, "LiteRT"
    )
    assert check.lacking == ()
    assert check.answer is Answer.FAIL


def test_an_op_that_tensorflow_does_not_know_lacks() -> None:
    check = judge_conversion(graph("Relu", "MyOwnOp", unregistered=("MyOwnOp",)), LOWERINGS, "LiteRT")
    assert [op.op for op in check.lacking] == ["MyOwnOp"]


def test_the_route_of_2016_is_judged_by_its_list_alone() -> None:
    check = judge_mobile_2016(graph("Relu", "AddV2"), {"Relu", "Add"}, "mobile")
    assert statuses(check) == {"AddV2": OpStatus.LACKS, "Relu": OpStatus.HAS}
    assert "Add" in check.ops[0].what_to_do
    assert check.answer is Answer.FAIL
    assert judge_mobile_2016(graph("Relu"), {"Relu"}, "mobile").answer is Answer.PASS


def use(op: str, version: int = 1, *, is_custom: bool = False) -> OperatorUse:
    return OperatorUse(op=op, version=version, is_custom=is_custom, count=1, where=("#0 y",))


@pytest.mark.parametrize(
    ("operator", "status", "words"),
    [
        (use("CONV_2D", 8), OpStatus.HAS, ""),
        (use("CONV_2D", 9), OpStatus.LACKS, "Version 9 is needed and the runtime has up to 8"),
        (use("STABLEHLO_SORT"), OpStatus.LACKS, "not in the runtime"),
        (use("builtin operator 400"), OpStatus.LACKS, "not in the runtime"),
        (use("Mfcc", is_custom=True), OpStatus.HAS, ""),
        (use("FlexErf", is_custom=True), OpStatus.LACKS, "TensorFlow's own Erf"),
        (use("CONV_2D", is_custom=True), OpStatus.LACKS, "custom operator"),
    ],
)
def test_an_operator_is_looked_up_with_its_version(
    operator: OperatorUse, status: OpStatus, words: str
) -> None:
    available = LitertOps(builtin={"CONV_2D": 8, "STABLEHLO_SORT": 0}, custom={"Mfcc"})
    check = judge_operators((operator,), available, Proof(outcome="works"), "LiteRT")
    assert check.ops[0].status is status
    assert words in check.ops[0].what_to_do
    assert check.answer is (Answer.PASS if status is OpStatus.HAS else Answer.FAIL)


def test_a_runtime_that_refuses_overrules_the_list() -> None:
    available = LitertOps(builtin={"CONV_2D": 8}, custom=())
    refused = Proof(outcome="refused", reason="no")
    assert judge_operators((use("CONV_2D"),), available, refused, "LiteRT").answer is Answer.FAIL


@pytest.mark.parametrize(
    ("op", "family"),
    [
        ("ReluGrad", "training"),
        ("MaxPoolGradWithArgmax", "training"),
        ("ResourceApplyAdam", "training"),
        ("SparseSoftmaxCrossEntropyWithLogits", "training"),
        ("Conv2DBackpropFilter", "training"),
        # What tf.nn.conv2d_transpose makes: part of many networks.
        ("Conv2DBackpropInput", None),
        ("AssignVariableOp", "training"),
        ("HistogramSummary", "summaries"),
        ("SaveV2", "checkpoints"),
        ("Assert", "checks"),
        ("QueueDequeueManyV2", "input pipeline"),
        ("ParseExample", "input pipeline"),
        ("BatchMatMul", None),
        ("BatchToSpaceND", None),
        ("Conv2D", None),
        ("Softmax", None),
    ],
)
def test_leftovers_are_known_by_their_op(op: str, family: str | None) -> None:
    assert leftover_family(op) == family


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("DecodePng", "the app decodes"),
        ("CropAndResize", "let the app prepare the image"),
        ("StringSplit", "turns text into numbers"),
        ("LookupTableFindV2", "looks words up"),
        ("RandomUniform", "export for inference"),
        ("TensorListReserve", "fix the batch"),
        ("VariableV2", "Freeze"),
        ("Switch", "fix the condition"),
        ("PyFunc", "calls Python"),
        ("ReluGrad", "left over from training"),
        ("NeverHeardOf", "rewrite the layer"),
    ],
)
def test_every_family_has_its_advice(op: str, words: str) -> None:
    assert words in advice(op, is_graph_run=False)

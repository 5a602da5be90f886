from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness import python_worker
from harness.core.op_check import Proof
from harness.errors import ModelError
from harness.variants.conversion_attempt import lacking_ops
from harness.variants.inspection_process import ask
from harness.variants.inspection_requests import Check, Inspect, Load

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"

SAID = """Could not translate MLIR to FlatBuffer.<unknown>:0: \
error: loc(fused["DecodeJpeg:", "DecodeJpeg"]): 'tf.DecodeJpeg' op is neither a custom op nor a flex op
<unknown>:0: note: loc(fused["DecodeJpeg:", "DecodeJpeg"]): Error code: ERROR_NEEDS_FLEX_OPS
<unknown>:0: error: loc(callsite(callsite(fused["Erf:", "dense/Erf@__inference_serve_12"] at \
fused["PartitionedCall:", "PartitionedCall@f"]) at fused["PartitionedCall:", "g"])): 'tf.Erf' op is neither a \
custom op nor a flex op
<unknown>:0: error: loc("Erf_1"): 'tf.Erf' op is neither a custom op nor a flex op
<unknown>:0: error: failed while converting: 'main':
Some ops are not supported by the native TFLite runtime
TF Select ops: DecodeJpeg, Erf
Details:
\ttf.Erf(tensor<4xf32>) -> (tensor<4xf32>) : {device = ""}
Some ops in the model are custom ops
Custom ops: Digamma
"""


def test_what_the_converter_says_is_read() -> None:
    found = {op.op: (op.count, op.where) for op in lacking_ops(SAID)}
    assert found == {
        "DecodeJpeg": (1, ("DecodeJpeg",)),
        "Erf": (2, ("dense/Erf", "Erf_1")),
        "Digamma": (1, ()),
    }


@pytest.mark.parametrize("said", ["", "ValueError: no", "TF Select ops: ", 'loc("x"): something else'])
def test_what_names_no_op_gives_none(said: str) -> None:
    assert list(lacking_ops(said)) == []


def test_a_model_with_builtin_operators_loads() -> None:
    assert ask(Load(path=str(TINY / "image_int8.tflite"))).proof == Proof(
        outcome="works", reason="LiteRT loads it and prepares every operator"
    )


def test_a_model_with_a_flex_operator_does_not_load() -> None:
    proof = ask(Load(path=str(TINY / "flex_erf.tflite"))).proof
    assert proof is not None and proof.outcome == "refused"
    assert "FlexErf" in proof.reason


def graph(tmp_path: Path, *, op: str = "Erf") -> Path:
    import tensorflow as tf

    with tf.Graph().as_default() as built:
        x = tf.compat.v1.placeholder(tf.float32, [1, 4], name="x")
        tf.nn.relu(tf.math.erf(x, name="middle"), name="y")
    definition: Any = built.as_graph_def()
    definition.node[1].op = op
    path = tmp_path / "graph.pb"
    path.write_bytes(definition.SerializeToString())
    return path


@pytest.mark.slow
def test_a_graph_is_checked_in_a_process(tmp_path: Path) -> None:
    found = ask(Check(path=str(graph(tmp_path)), format="graphdef", wants_header=True)).ops
    assert found is not None
    assert [tensor.name for tensor in found.outputs] == ["y"]
    assert found.proof.outcome == "refused"
    assert [(op.op, op.where) for op in found.proof.lacking] == [("Erf", ("middle",))]
    assert found.header is not None and 'isequal(op, "Erf")' in found.header


@pytest.mark.slow
def test_an_unknown_op_is_not_put_to_the_converter(tmp_path: Path) -> None:
    found = ask(Check(path=str(graph(tmp_path, op="MyOwnOp")), format="graphdef")).ops
    assert found is not None
    assert found.unregistered == ("MyOwnOp",)
    assert found.proof.outcome == "not tried" and "MyOwnOp" in found.proof.reason


@pytest.mark.slow
def test_a_damaged_graph_is_refused_with_its_path(tmp_path: Path) -> None:
    path = graph(tmp_path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelError) as caught:
        ask(Inspect(path=str(path), format="graphdef", bytes=1, sha256="0" * 64))
    assert caught.value.where == str(path)


def test_a_worker_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="did not end within"):
        ask(Check(path=str(tmp_path / "none"), format="graphdef"), timeout_s=0.05)
    proof = ask(Load(path=str(TINY / "image_int8.tflite")), timeout_s=0.05).proof
    assert proof is not None and proof.outcome == "not tried"


def test_a_runtime_that_crashes_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is replaced by a program that dies as a crashing runtime does."""
    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr(python_worker.sys, "executable", os.fspath(crash))
    proof = ask(Load(path="model.tflite")).proof
    assert proof == Proof(outcome="refused", reason="the loading crashed (SIGSEGV)")
    with pytest.raises(ModelError, match="SIGSEGV"):
        ask(Check(path="graph.pb", format="graphdef"))

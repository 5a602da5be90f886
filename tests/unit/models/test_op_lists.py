"""The lists are what the installed runtime and schema say, not what somebody once believed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import make_op_lists
from harness.models.op_lists import builtin_names, litert_ops, mobile_2016_ops, tflite_lowerings

ROOT = Path(__file__).parents[3]


def test_every_builtin_operator_of_the_installed_schema_is_listed() -> None:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    schema = {code: name for name, code in vars(BuiltinOperator).items() if isinstance(code, int)}
    assert {code: name for code, name in schema.items() if name != "CUSTOM"} == dict(builtin_names())


@pytest.mark.slow
def test_the_installed_runtime_resolves_the_listed_versions_and_no_later_ones() -> None:
    # In a process of its own: a runtime that is asked odd questions may crash.
    question = (
        "import json; from fixtures import make_op_lists as m;"
        "print(json.dumps({name: m.latest_version(code) for code, name in m.builtin_operators().items()}))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", question], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(asked.stdout.splitlines()[-1]) == dict(litert_ops().builtin)


@pytest.mark.slow
def test_the_installed_runtime_resolves_the_listed_custom_operators() -> None:
    assert all(make_op_lists.has_custom(name) for name in litert_ops().custom)
    assert not make_op_lists.has_custom("MaxUnpooling2D")


def test_the_lists_say_what_is_known_of_well_known_ops() -> None:
    lowerings, mobile = tflite_lowerings(), mobile_2016_ops()
    assert all(lowerings[op] for op in ("Conv2D", "Softmax", "FusedBatchNormV3", "ResizeBilinear"))
    assert not any(lowerings[op] for op in ("DecodeJpeg", "Erf", "ResizeBicubic", "ReluGrad"))
    assert mobile >= {"Conv2D", "MatMul", "BatchNormWithGlobalNormalization", "Concat", "LRN"}
    assert mobile.isdisjoint({"DecodeJpeg", "DepthwiseConv2dNative", "AddV2", "FusedBatchNormV3"})
    assert litert_ops().builtin["CONV_2D"] >= 8
    assert litert_ops().builtin["STABLEHLO_SORT"] == 0
    assert "TFLite_Detection_PostProcess" in litert_ops().custom

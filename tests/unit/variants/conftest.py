"""Models to build variants from, and one that crashes LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.variants.cache import VariantCache
from harness.variants.calibration import CalibrationData

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"


@pytest.fixture
def float32_tflite() -> Path:
    return TINY / "image_float32.tflite"


@pytest.fixture
def cache(tmp_path: Path) -> VariantCache:
    return VariantCache(tmp_path / "cache")


@pytest.fixture(scope="session")
def calibration() -> CalibrationData:
    """For the tiny image classifier: 10 inputs of [8, 8, 3] in [-1, 1]."""
    samples = np.random.default_rng(3).uniform(-1, 1, (10, 8, 8, 3)).astype(np.float32)
    return CalibrationData.of(samples)


@pytest.fixture
def crashing_tflite(tmp_path: Path) -> Path:
    """A well-formed .tflite whose IF leads into its own graph: LiteRT recurses until the stack is used up."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: bytes, kind: int, shape: list[int]) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.type, made.shape = name, kind, shape
        return made

    def graph() -> schema.SubGraphT:
        options = schema.IfOptionsT()
        options.thenSubgraphIndex = options.elseSubgraphIndex = 1
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = [0, 0, 1], [2]
        operator.builtinOptionsType = schema.BuiltinOptions.IfOptions
        operator.builtinOptions = options
        made = schema.SubGraphT()
        made.tensors = [
            tensor(b"condition", schema.TensorType.BOOL, [1]),
            tensor(b"x", schema.TensorType.FLOAT32, [1, 4]),
            tensor(b"y", schema.TensorType.FLOAT32, [1, 4]),
        ]
        made.inputs, made.outputs, made.operators = [0, 1], [2], [operator]
        return made

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.IF
    model = schema.ModelT()
    model.version, model.operatorCodes, model.buffers = 3, [code], [schema.BufferT()]
    model.subgraphs = [graph(), graph()]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "crashing.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path

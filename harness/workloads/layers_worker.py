"""``python -m harness.workloads.layers_worker``: runs two .tflite side by side and compares their tensors."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import dequantize
from harness.core.layer_blame import OperationError
from harness.shards.engine_server import Payload, serve
from harness.shards.request import InputTensor, records_of
from harness.workloads.layers import LayersOpening, LayersPart
from harness.workloads.reference_litert import LitertModel, failing, quantization_of


@dataclass
class _Error:
    """Sums over all elements seen."""

    difference: float = 0.0
    base: float = 0.0
    finite: bool = True

    @property
    def relative(self) -> float | None:
        if not self.finite:
            return None
        if self.base == 0.0:
            return 0.0 if self.difference == 0.0 else math.sqrt(self.difference)
        return math.sqrt(self.difference / self.base)

    def add(self, base: NDArray[Any], variant: NDArray[np.float32]) -> None:
        wide = variant.astype(np.float64)
        self.finite = self.finite and bool(np.isfinite(wide).all())
        if self.finite:
            self.difference += float(np.square(wide - base).sum())
            self.base += float(np.square(base, dtype=np.float64).sum())


@dataclass
class _Side:
    """One model, its tensors by name where an operation or the caller makes them."""

    model: LitertModel
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls, path: str, inputs: tuple[InputTensor, ...]) -> _Side:
        side = cls(LitertModel.open(path, inputs, keep_all_tensors=True))
        interpreter = side.model.interpreter
        details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
        # No public call lists the operations; the delegates that took them over stand at the end of the list.
        side.operations = [each for each in interpreter._get_ops_details() if each["op_name"] != "DELEGATE"]
        made = [int(index) for each in side.operations for index in each["outputs"]]
        for index in (*made, *(detail["index"] for detail in interpreter.get_input_details())):
            if index in details and details[index]["name"]:
                side.made.setdefault(details[index]["name"], details[index])
        return side

    def value(self, detail: dict[str, Any]) -> NDArray[np.float32]:
        raw = self.model.interpreter.get_tensor(detail["index"])
        return dequantize(raw, quantization_of(detail))


def open_layers(opening: LayersOpening) -> Callable[[LayersPart, Payload], bytes]:
    """What compares the tensors of the two on one input more, and answers with the operations' errors as JSON."""
    base, variant = (_Side.open(path, opening.inputs) for path in (opening.base, opening.variant))
    errors = {
        name: _Error()
        for name, detail in base.made.items()
        if name in variant.made and np.dtype(detail["dtype"]).kind == "f"
    }

    def compare(part: LayersPart, payload: Payload) -> bytes:
        records = [
            records_of(item.encoding, buffer) for item, buffer in zip(opening.inputs, payload, strict=True)
        ]
        for side in (base, variant):
            side.model.set_inputs(records, 0)
            with failing(f"run input {part.position}", side.model.path):
                side.model.interpreter.invoke()
        for name, error in errors.items():
            of_base, of_variant = base.value(base.made[name]), variant.value(variant.made[name])
            if of_base.shape == of_variant.shape:
                error.add(of_base, of_variant)
            else:
                error.finite = False
        return json.dumps([one.model_dump(mode="json") for one in _operations(base, errors)]).encode()

    return compare


def _operations(base: _Side, errors: dict[str, _Error]) -> list[OperationError]:
    names = {detail["index"]: name for name, detail in base.made.items()}
    found = []
    for order, operation in enumerate(base.operations):
        name = next((names[int(each)] for each in operation["outputs"] if int(each) in names), None)
        if name is None or name not in errors:
            continue
        reads = [
            errors[names[int(each)]].relative
            for each in operation["inputs"]
            if names.get(int(each)) in errors
        ]
        found.append(
            OperationError(
                index=order,
                op=operation["op_name"],
                tensor=name,
                error=errors[name].relative,
                # One that is not finite already is not met by any tolerance.
                input_error=None
                if None in reads
                else max((each for each in reads if each is not None), default=0.0),
                shape=tuple(int(extent) for extent in base.made[name]["shape"]),
            )
        )
    return found


if __name__ == "__main__":
    sys.exit(serve(LayersOpening, LayersPart, open_layers))

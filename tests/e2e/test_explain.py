"""Explaining a stored run: crossed cases through the real runner and interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from desk import CLASSES, Desk, assert_explained

from harness.core.explanation import Explanation, Factor
from harness.store import RunFolder

HOLD_OUT = "hold_out = 8\n"


@pytest.fixture
def run(desk: Desk) -> RunFolder:
    """A run with a quantized variant on forty photos, half of them labelled by chance."""
    photos = desk.photos(48)
    desk.write(
        "truth.csv",
        "file,label\n" + "".join(f"{one.name},{index % CLASSES}\n" for index, one in enumerate(photos)),
    )
    desk.write("labels.txt", "".join(f"label {index}\n" for index in range(CLASSES)))
    suite = desk.image_suite(
        more='truth = "truth.csv"\nlabels = "labels.txt"\n', calibration=HOLD_OUT, recipes=("float32", "int8")
    )
    assert desk.harness("run", suite).status in (0, 1, 3)
    return desk.newest()


def explained(desk: Desk, *arguments: object) -> Explanation:
    answer = desk.harness("explain", *map(str, arguments), "--json")
    assert answer.status == 0, answer
    return Explanation.model_validate_json(answer.out)


def test_a_quantized_variant_is_told_apart_link_by_link(desk: Desk, run: RunFolder) -> None:
    found = explained(desk, run.path, "int8")
    assert [link.factor for link in found.links] == [Factor.CONVERSION, Factor.QUANTIZATION, Factor.RUNNER]
    assert found.inputs == 40
    conversion, quantization, runner = found.links
    assert conversion.bit_identical, "the source is the float32 .tflite itself"
    assert runner.bit_identical, "interpreter and runner give the same bytes"
    assert not quantization.bit_identical
    assert quantization.explains == found.disagreements
    assert [link.factor for link in found.beside] == [Factor.KERNELS]
    assert found.layers and found.layer_inputs == 16
    assert {check.name for check in found.preprocessing} == {
        "pixels from 0 to 1",
        "pixels from 0 to 255",
        "red and blue swapped",
    }
    assert all(check.accuracy.trials == 40 for check in found.preprocessing)
    text = desk.harness("explain", run.path, "int8").out
    assert "quantization" in text and "Layers by the relative error they add" in text


def test_a_float_variant_has_nothing_to_explain(desk: Desk, run: RunFolder) -> None:
    found = explained(desk, run.path, "float32")
    assert found.disagreements == 0 and found.main_factor is None and found.layers == ()
    assert "All 40 inputs get the reference's label." in desk.harness("explain", run.path, "float32").out


def test_a_wrong_pixel_range_is_suspected(desk: Desk, run: RunFolder) -> None:
    """Labels from the model itself under the right range; the suite then declares another."""
    scores = explained(desk, run.path, "float32")
    assert not any(check.suspicious for check in scores.preprocessing)
    reference = run.reference()
    outputs = np.fromfile(run.blobs.path(reference.outputs), "<f4").reshape(-1, reference.classes)
    names = [one.name for one in run.workload().inputs]
    rows = [f"{name},{label}\n" for name, label in zip(names, outputs.argmax(axis=1), strict=True)]
    desk.write("truth.csv", "file,label\n" + "".join(rows))
    suite = desk.folder / "suite.toml"
    suite.write_text(suite.read_text().replace("mean = 127.5\nscale = 127.5", "mean = 0\nscale = 1"))
    assert desk.harness("run", suite).status in (0, 1, 3)
    found = explained(desk, desk.newest().path, "float32")
    assert [check.name for check in found.preprocessing if check.suspicious] == ["pixels from −1 to 1"]
    assert "mend [workload.preprocess]" in desk.harness("explain", desk.newest().path, "float32").out


def test_what_cannot_be_explained_is_said(desk: Desk, run: RunFolder) -> None:
    assert_explained(desk.harness("explain", run.path, "float16"), 2, "no variant 'float16'")
    assert_explained(desk.harness("explain", "nowhere", "int8"), 2, "nowhere")
    desk.photos(3)
    (desk.folder / "photos" / "photo10.png").write_bytes(
        (desk.folder / "photos" / "photo11.png").read_bytes()
    )
    assert_explained(desk.harness("explain", run.path, "int8"), 2, "inputs changed")

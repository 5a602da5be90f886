"""A frozen graph from the command line: run as a suite with every recipe, and labelled from JPEG bytes."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from desk import Desk, assert_explained, measured

from fixtures import tiny_graphs
from harness.core.variants import Recipe

PASS = '[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.01\n'
ENDS = f'input = "{tiny_graphs.INPUT}"\noutput = "{tiny_graphs.OUTPUT}:0"\n'


@pytest.fixture
def graph(desk: Desk) -> str:
    desk.write("graph.pb", tiny_graphs.frozen_graph().SerializeToString())
    return "graph.pb"


def test_a_frozen_graph_with_every_recipe(desk: Desk, graph: str) -> None:
    desk.tensors()
    desk.tensors("more.npy", seed=1)
    suite = desk.suite(
        model=f'{graph}"\n{ENDS}# "',
        workload='task = "tensors"\ninputs = "inputs.npy"\n[workload.calibration]\ninputs = "more.npy"\n',
        recipes=tuple(recipe.value for recipe in Recipe),
        policy=PASS,
    )
    answer = desk.harness("run", suite)
    assert answer.status == 0, answer.out + answer.err
    report = desk.report()
    assert report.reference_engine.startswith("tensorflow 2.")
    plain = measured(report, "float32")
    assert plain.agreement.largest_absolute_difference is not None
    assert plain.agreement.largest_absolute_difference < 1e-6
    assert {result.variant.name for result in report.results} == {recipe.value for recipe in Recipe}  # type: ignore[union-attr]
    folder = desk.newest()
    stored = np.fromfile(folder.blobs.path(folder.reference().outputs), "<f4").reshape(
        -1, tiny_graphs.CLASSES
    )
    inputs = np.load(desk.folder / "inputs.npy", allow_pickle=False)
    np.testing.assert_allclose(stored, tiny_graphs.scores(inputs), atol=1e-6)


def test_a_photo_is_labelled_by_a_graph_that_decodes_it(desk: Desk, graph: str) -> None:
    from PIL import Image

    # One colour: whatever scales it to 8 x 8, every pixel stays as it is.
    encoded = io.BytesIO()
    Image.new("RGB", (16, 12), (200, 40, 90)).save(encoded, "JPEG", quality=95)
    photo = desk.write("photo.jpg", encoded.getvalue())
    desk.write("labels.txt", "".join(f"label {index}\n" for index in range(tiny_graphs.CLASSES)))
    answer = desk.harness(
        *("label", graph, photo, "--labels", "labels.txt", "--json", "--top", "2"),
        *("--input", tiny_graphs.JPEG_INPUT, "--output", tiny_graphs.OUTPUT),
    )
    assert answer.status == 0, answer.out + answer.err
    found = json.loads(answer.out)
    pixel = np.asarray(Image.open(photo))[0, 0].astype(np.float32)
    image = np.broadcast_to((pixel - 127.5) / 127.5, (1, tiny_graphs.SIDE, tiny_graphs.SIDE, 3))
    expected = tiny_graphs.scores(image.astype(np.float32))[0]
    best = found["photos"][0]["best"]
    assert [one["index"] for one in best] == list(np.argsort(-expected)[:2])
    assert best[0]["label"] == f"label {best[0]['index']}"
    assert best[0]["score"] == pytest.approx(float(expected.max()), abs=1e-5)


def test_a_graph_whose_output_is_not_clear(desk: Desk, graph: str) -> None:
    desk.photos(1)
    answer = desk.harness(
        "label", graph, "photos", *("--size", "8", "8", "--mean", "127.5", "--scale", "127.5")
    )
    assert_explained(answer, 2, "'final_result'", "'loss'")
    assert "model.output" in answer.err

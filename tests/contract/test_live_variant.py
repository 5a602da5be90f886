"""A live variant on a virtual iPhone: what arrives there is what the runner's own core reads and classifies with."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from shared_phones import SharedPhones

from harness.errors import UsageError, WireError
from harness.pipeline.camera import live_variant, put_on_phone
from harness.virtual_iphone.phone import Phone
from harness.wire.blobs import BlobStore
from harness.wire.live import read_live_variant, write_live_variant

LABELS = [f"label {index}" for index in range(10)]


@pytest.fixture
def suite(tmp_path: Path, tiny_models: Path) -> Path:
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    path = tmp_path / "suite.toml"
    path.write_text(
        f'version = 1\nname = "tiny"\n[model]\npath = "{tiny_models / "image_float32.tflite"}"\n'
        '[workload]\ntask = "image-classification"\ninputs = "photos"\nlabels = "labels.txt"\n'
        "[workload.preprocess]\nsize = [8, 8]\ncrop_fraction = 0.875\nmean = 127.5\nscale = 127.5\n"
        '[variants]\nrecipes = ["float32"]\n[run]\nthreads = 2\n[policy]\n'
    )
    return path


def test_it_arrives_and_the_core_shows_it(
    suite: Path, tiny_models: Path, tmp_path: Path, runner_executable: Path, runtime_library: Path
) -> None:
    model = tiny_models / "image_float32.tflite"
    shared = SharedPhones.target("16.7")
    live = put_on_phone(str(model), suite, tmp_path, shared.phone.iphone, top=3)
    shared.close()

    async def inbox_of(phone: Phone) -> Path:
        app = phone.apps.find("org.harness.runner")
        assert app is not None
        return app.container / "Documents" / "inbox"

    inbox = shared.phone.phones.call(inbox_of)
    document = inbox / "live" / f"image_float32-{live.model.sha256[:8]}.json"
    assert read_live_variant(document) == live
    assert live.labels is not None
    assert (inbox / "blobs" / live.labels.sha256).read_text().splitlines() == LABELS
    assert (inbox / "blobs" / live.model.sha256).read_bytes() == model.read_bytes()
    assert (live.threads, live.top) == (2, 3)
    assert live.image is not None and live.image.crop_fraction == 0.875
    record = np.random.default_rng(5).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    said = subprocess.run(
        [runner_executable, "classify", document, "--runtime", runtime_library, "--as", "record"],
        input=record.tobytes(),
        capture_output=True,
        check=True,
        timeout=30,
    )
    best = json.loads(said.stdout.splitlines()[0])["best"]
    assert len(best) == 3
    assert best[0]["label"] == LABELS[best[0]["class"]]


def test_without_a_suite_nobody_knows_how_frames_are_prepared(tiny_models: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="how its inputs are prepared"):
        live_variant(str(tiny_models / "image_float32.tflite"), None, tmp_path, BlobStore(tmp_path), top=5)


def test_tensors_have_no_screen(suite: Path, tiny_models: Path, tmp_path: Path) -> None:
    text = suite.read_text()
    start = text.index("[workload]")
    end = text.index("[variants]")
    suite.write_text(text[:start] + '[workload]\ntask = "tensors"\ninputs = "x.npy"\n' + text[end:])
    with pytest.raises(UsageError, match="no live screen"):
        live_variant(str(tiny_models / "image_float32.tflite"), suite, tmp_path, BlobStore(tmp_path), top=5)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"live_version": 1', '"live_version": 2', "versions up to 1"),
        ('"top": 3', '"top": 0', "top"),
        ('"top": 3', '"top": 3, "path": "/etc"', "path"),
        ('"pixels"', '"tensor"', "encoding"),
        ('"name": "image_float32"', '"name": "other"', "name and hash"),
    ],
)
def test_a_document_that_is_none(
    suite: Path, tiny_models: Path, tmp_path: Path, old: str, new: str, reason: str
) -> None:
    model = str(tiny_models / "image_float32.tflite")
    live = live_variant(model, suite, tmp_path, BlobStore(tmp_path), top=3)
    path = write_live_variant(tmp_path, live)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(WireError, match=reason):
        read_live_variant(path)

"""Live variants, as the app's camera and text screens run them: the same pixels, numbers and scores as in a job."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job_bench import interpreter_outputs
from PIL import Image

from harness.core.preprocessing import Channels, Interpolation, Preprocessing, ResizeMode
from harness.core.text_encoding import TextEncoding, encode_texts
from harness.wire.blobs import BlobStore
from harness.workloads.preprocess import preprocess


@dataclass(frozen=True)
class LiveBench:
    """A job root with one live variant, and the executable that runs it."""

    root: Path
    executable: Path
    library: Path

    @property
    def live_json(self) -> Path:
        return self.root / "live" / "tiny-0123abcd.json"

    def place(self, model: Path, /, **keys: Any) -> dict[str, Any]:
        """Write the live variant; ``keys`` replace or add to those of an image variant without labels."""
        store = BlobStore(self.root)
        blob = store.put_bytes(model.read_bytes())
        labels = keys.pop("labels_text", None)
        variant = {
            "live_version": 1,
            "name": "tiny",
            "created_unix_ns": 1,
            "model": {"sha256": blob.sha256, "bytes": blob.bytes},
            "task": "image-classification",
            "labels": None,
            "tensor": "",
            "encoding": {
                "kind": "pixels",
                "shape": [8, 8, 3],
                "mean": [127.5, 127.5, 127.5],
                "scale": [127.5, 127.5, 127.5],
            },
            "image": {"resize": "crop", "crop_fraction": 1.0, "interpolation": "bilinear", "channels": "rgb"},
            "output": "",
            "output_kind": "probabilities",
            "background_class": False,
            "threads": 1,
            "loading": "mapped",
            "top": 5,
        } | keys
        if labels is not None:
            put = store.put_bytes(labels.encode())
            variant["labels"] = {"sha256": put.sha256, "bytes": put.bytes}
        self.live_json.parent.mkdir(exist_ok=True)
        self.live_json.write_text(json.dumps(variant))
        return variant

    def call(self, verb: str, form: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [
            *(str(self.executable), verb, str(self.live_json)),
            *("--runtime", str(self.library), "--as", form),
        ]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)

    def prepare(self, form: str, stdin: bytes) -> bytes:
        done = self.call("prepare", form, stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def classify(self, form: str, stdin: bytes) -> list[dict[str, Any]]:
        done = self.call("classify", form, stdin)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def refusal(self, form: str = "record", stdin: bytes = b"") -> str:
        done = self.call("classify", form, stdin)
        assert done.returncode == 2 and done.stdout == b""
        return done.stderr.decode()


@pytest.fixture
def bench(tmp_path: Path, runner_executable: Path, runtime_library: Path) -> LiveBench:
    return LiveBench(tmp_path, runner_executable, runtime_library)


def bgra(rgb: np.ndarray[Any, Any]) -> bytes:
    """A camera's frame with rubbish in the fourth byte."""
    fourth = np.full((*rgb.shape[:-1], 1), 77, dtype=np.uint8)
    return np.concatenate([rgb[..., ::-1], fourth], axis=-1).tobytes()


SHAPES = [(48, 64), (64, 48), (8, 8), (5, 7), (33, 8), (8, 21), (1, 40)]


@pytest.mark.parametrize("interpolation", list(Interpolation))
@pytest.mark.parametrize("resize", list(ResizeMode))
def test_frames_become_the_pixels_that_the_harness_prepares(
    bench: LiveBench, tiny_models: Path, resize: ResizeMode, interpolation: Interpolation
) -> None:
    random = np.random.default_rng(5)
    for channels, fraction in ((Channels.RGB, 0.875), (Channels.BGR, 1.0)):
        rule = Preprocessing(
            size=(8, 8),
            resize=resize,
            crop_fraction=fraction,
            interpolation=interpolation,
            channels=channels,
            mean=(127.5,),
            scale=(127.5,),
        )
        bench.place(
            tiny_models / "image_float32.tflite",
            image={
                "resize": resize.value,
                "crop_fraction": fraction,
                "interpolation": interpolation.value,
                "channels": channels.value,
            },
        )
        for height, width in SHAPES:
            frames = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
            prepared = bench.prepare(f"{width}x{height}", b"".join(bgra(frame) for frame in frames))
            expected = b"".join(preprocess(Image.fromarray(frame), rule).tobytes() for frame in frames)
            assert prepared == expected, (height, width)


def test_a_large_frame_becomes_the_same_pixels_in_gray_and_off_square(
    bench: LiveBench, tiny_models: Path
) -> None:
    size = (6, 32)
    rule = Preprocessing(
        size=size, channels=Channels.GRAY, interpolation=Interpolation.BICUBIC, mean=(0,), scale=(255,)
    )
    bench.place(
        tiny_models / "image_float32.tflite",
        encoding={"kind": "pixels", "shape": [*size, 1], "mean": [0], "scale": [255]},
        image={"interpolation": "bicubic", "channels": "gray"},
    )
    frame = np.random.default_rng(6).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert bench.prepare("640x480", bgra(frame)) == preprocess(Image.fromarray(frame), rule).tobytes()


@pytest.mark.parametrize("loading", ["mapped", "heap", "weight-cache"])
@pytest.mark.parametrize("model", ["image_float32", "image_int8", "image_uint8"])
def test_scores_are_the_interpreters(bench: LiveBench, tiny_models: Path, model: str, loading: str) -> None:
    path = tiny_models / f"{model}.tflite"
    pixels = np.random.default_rng(8).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    bench.place(path, loading=loading)
    results = bench.classify("record", pixels.tobytes())
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    entry, exit_ = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    real = (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    records = real[:, np.newaxis]
    if entry["dtype"] is not np.float32:
        scale, zero_point = entry["quantization"]
        limits = np.iinfo(entry["dtype"])
        ratio = records / np.float32(scale)
        rounded = np.sign(ratio) * np.floor(np.abs(ratio) + np.float32(0.5))
        records = np.clip(rounded + zero_point, limits.min, limits.max).astype(entry["dtype"])
    outputs = interpreter_outputs(path, [("image", records)])["probabilities"][:, 0]
    scale, zero_point = exit_["quantization"]
    expected = outputs if scale == 0 else (outputs.astype(np.float32) - zero_point) * np.float32(scale)
    assert np.array_equal(np.array([r["scores"] for r in results], dtype=np.float32), expected)
    assert all(result["latency_ns"] > 0 for result in results)
    best = [[label["class"] for label in result["best"]] for result in results]
    assert best == [np.argsort(-scores, kind="stable")[:5].tolist() for scores in expected]


def test_frames_and_their_prepared_records_have_the_same_scores(bench: LiveBench, tiny_models: Path) -> None:
    bench.place(tiny_models / "image_float32.tflite")
    frame = np.random.default_rng(2).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    (of_frame,) = bench.classify("30x40", bgra(frame))
    (of_record,) = bench.classify("record", bench.prepare("30x40", bgra(frame)))
    assert of_frame["scores"] == of_record["scores"]


def test_labels_are_smoothed_over_frames_and_fade_away(bench: LiveBench, tiny_models: Path) -> None:
    bench.place(tiny_models / "image_float32.tflite", top=3)
    random = np.random.default_rng(4)
    records = np.repeat(random.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8), 12, axis=0)
    results = bench.classify("record", records.tobytes())
    values: dict[int, float] = {}
    for result in results:
        values = {index: value * 0.75 for index, value in values.items()}
        for index, score in enumerate(result["scores"]):
            if np.float32(score) > 0.05:
                values[index] = values.get(index, 0.0) + 0.25 * score
        values = {index: value for index, value in values.items() if value >= 0.01}
        shown = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:3]
        assert [label["class"] for label in result["smoothed"]] == [index for index, _ in shown]
        assert [label["value"] for label in result["smoothed"]] == pytest.approx(
            [v for _, v in shown], rel=1e-5
        )


def test_labels_logits_and_a_background_class(bench: LiveBench, tiny_models: Path) -> None:
    path = tiny_models / "image_float32.tflite"
    pixels = np.random.default_rng(8).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8).tobytes()
    bench.place(path)
    (plain,) = bench.classify("record", pixels)
    classes = len(plain["scores"])
    texts = [f"größe {index}" for index in range(classes - 1)]
    bench.place(
        path, output_kind="logits", background_class=True, labels_text="\r\n".join(texts) + "\n", top=classes
    )
    (result,) = bench.classify("record", pixels)
    exponentials = np.exp(np.array(plain["scores"]))
    assert result["scores"] == pytest.approx((exponentials / exponentials.sum()).tolist(), rel=1e-5)
    assert {label["class"]: label["label"] for label in result["best"]} == dict(
        enumerate(["background", *texts])
    )
    bench.place(path, labels_text="one\ntwo\n")
    assert f"the model has {classes} classes, the labels are for 2" in bench.refusal()


def test_what_is_typed_is_encoded_as_in_a_job(bench: LiveBench, tiny_models: Path) -> None:
    alphabet = " abcdefghijklmnopqrstuvwxyzäö"
    path = tiny_models / "tokens_int32.tflite"
    bench.place(
        path,
        task="text-classification",
        image=None,
        encoding={
            "kind": "characters",
            "dtype": "int32",
            "shape": [1, 12],
            "alphabet": alphabet,
            "lowercase": True,
            "unknown": 1,
            "padding": 0,
        },
    )
    texts = ["", "h", "hä", "Hände hoch", "a text longer than the model's", "☃"]
    expected = encode_texts(texts, TextEncoding(alphabet=alphabet, lowercase=True, length=12))
    # An empty line is a text too.
    stdin = "".join(f"{text}\n" for text in texts).encode()
    assert bench.prepare("text", stdin) == expected.astype(np.int32).tobytes()
    results = bench.classify("text", stdin)
    outputs = interpreter_outputs(path, [("tokens", expected.reshape(-1, 1, 12).astype(np.int32))])
    scores = outputs["probabilities"][:, 0]
    assert np.array_equal(np.array([r["scores"] for r in results], dtype=np.float32), scores)
    assert "takes no pictures" in bench.refusal("4x4", bytes(64))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"live_version": 2}, "live_version: 2 is newer than this app's 1; update the app"),
        ({"task": "tensors"}, "task: one of 'image-classification', 'text-classification' was expected"),
        ({"image": None}, "image: is missing"),
        ({"image": {"channels": "gray"}}, "image.channels: the encoding has 3 channels"),
        ({"image": {"crop_fraction": 0}}, "image.crop_fraction"),
        ({"image": {"resize": "stretch"}}, "image.resize: one of 'crop', 'squash', 'pad' was expected"),
        ({"task": "text-classification"}, "encoding.kind: 'characters' was expected"),
        ({"threads": 0}, "threads"),
        ({"top": 101}, "top"),
        ({"name": ""}, "name"),
        ({"model": {"sha256": "../../etc/passwd", "bytes": 1}}, "model.sha256"),
        ({"model": {"sha256": "0" * 64, "bytes": 1}}, "blobs/" + "0" * 64),
        ({"surprise": 1}, "surprise"),
        ({"output": "nothing"}, "the model has no output 'nothing'"),
        ({"tensor": "nothing"}, "the model has no input 'nothing'"),
        (
            {"encoding": {"kind": "pixels", "shape": [8, 9, 3], "mean": [0, 0, 0], "scale": [1, 1, 1]}},
            "does not have as many elements",
        ),
    ],
)
def test_a_live_variant_that_is_not_right(
    bench: LiveBench, tiny_models: Path, change: dict[str, Any], problem: str
) -> None:
    bench.place(tiny_models / "image_float32.tflite", **change)
    assert problem in bench.refusal()


def test_inputs_that_are_not_right(bench: LiveBench, tiny_models: Path) -> None:
    bench.place(tiny_models / "image_float32.tflite")
    done = bench.call("classify", "record", bytes(192 + 5))
    assert done.returncode == 2 and len(done.stdout.splitlines()) == 1 and b"within an input" in done.stderr
    assert "'record', 'text' or WIDTHxHEIGHT" in bench.refusal("0x4")
    assert "takes no text" in bench.refusal("text", b"hello\n")
    bench.live_json.write_text("{")
    assert bench.refusal()
    bench.live_json.unlink()
    assert "No such file" in bench.refusal()

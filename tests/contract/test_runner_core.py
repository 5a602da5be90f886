"""The runner against docs/wire-format.md and against ai-edge-litert's own interpreter."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job_bench import (
    Bench,
    Records,
    interpreter_outputs,
    only,
    pixel_encoding,
    steady_samples,
    tensor_encoding,
)

from harness.core.events import (
    JobFailed,
    JobFinished,
    JobStarted,
    Keystrokes,
    ModelDescribed,
    Samples,
    Stage,
    StageFinished,
)
from harness.core.jobs import CharacterEncoding, DType, Encoding, Job, Loading, StopRule, TensorEncoding
from harness.core.text_encoding import TextEncoding, encode_texts

GOLDEN = Path(__file__).parents[2] / "fixtures" / "wire"
RUNS_OF_EACH = StopRule(min_runs=12, min_duration_ns=0)


@pytest.fixture
def bench(tmp_path: Path, runner_executable: Path, runtime_library: Path) -> Bench:
    return Bench(tmp_path, runner_executable, runtime_library)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def image_job(bench: Bench, tiny_models: Path, count: int = 3, **settings: Any) -> Job:
    """A job of ``count`` float32 records for the float32 image model."""
    records = np.random.default_rng(3).uniform(-1, 1, (count, 1, 8, 8, 3)).astype(np.float32)
    return bench.job(
        tiny_models / "image_float32.tflite", [("", records, tensor_encoding(records))], **settings
    )


def quantized(real: np.ndarray[Any, Any], scale: float, zero_point: int, dtype: type) -> np.ndarray[Any, Any]:
    """docs/wire-format.md, "Encodings": division in float32, halves away from zero, clamped."""
    ratio = real.astype(np.float32) / np.float32(scale)
    rounded = np.sign(ratio) * np.floor(np.abs(ratio) + np.float32(0.5))
    limits = np.iinfo(dtype)
    clamped: np.ndarray[Any, Any] = np.clip(rounded + zero_point, limits.min, limits.max).astype(dtype)
    return clamped


# Parity with the interpreter


@pytest.mark.parametrize("loading", list(Loading))
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("model", "name", "shape", "draw"),
    [
        ("image_float32", "image", (1, 8, 8, 3), lambda r, s: r.uniform(-1, 1, s).astype(np.float32)),
        ("image_int8", "image", (1, 8, 8, 3), lambda r, s: r.integers(-128, 128, s).astype(np.int8)),
        ("image_uint8", "image", (1, 8, 8, 3), lambda r, s: r.integers(0, 256, s).astype(np.uint8)),
        ("tokens_int32", "tokens", (1, 12), lambda r, s: r.integers(0, 50, s).astype(np.int32)),
    ],
)
def test_outputs_are_the_interpreters_bit_for_bit(
    bench: Bench,
    tiny_models: Path,
    random: np.random.Generator,
    model: str,
    name: str,
    shape: tuple[int, ...],
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray[Any, Any]],
    threads: int,
    loading: Loading,
) -> None:
    path = tiny_models / f"{model}.tflite"
    records = draw(random, (16, *shape))
    job = bench.job(path, [("", records, tensor_encoding(records))], threads=threads, loading=loading)
    assert bench.run().returncode == 0
    (outputs,) = bench.outputs(job)
    expected = interpreter_outputs(path, [(name, records)], threads)["probabilities"]
    assert outputs.tobytes() == expected.tobytes()
    # Parity of constant outputs would say nothing.
    assert len({row.tobytes() for row in outputs}) > 8


@pytest.mark.parametrize("model", ["image_float32", "image_int8", "image_uint8"])
def test_pixels_are_normalized_and_quantized_as_the_wire_format_says(
    bench: Bench, tiny_models: Path, random: np.random.Generator, model: str
) -> None:
    path = tiny_models / f"{model}.tflite"
    pixels = random.integers(0, 256, (16, 8, 8, 3)).astype(np.uint8)
    # 127.3 and 99.7 are no float32 numbers: the arithmetic must be float32's to agree to the bit.
    job = bench.job(path, [("image", pixels, pixel_encoding(pixels, 127.3, 99.7))])
    assert bench.run().returncode == 0
    tensor = only(bench.events(), ModelDescribed)[0].inputs[0]
    real = (pixels.astype(np.float32) - np.float32(127.3)) / np.float32(99.7)
    elements = real[:, np.newaxis]
    if tensor.dtype is not DType.FLOAT32:
        assert tensor.quantization is not None
        kind = {DType.INT8: np.int8, DType.UINT8: np.uint8}[tensor.dtype]
        elements = quantized(elements, tensor.quantization.scale, tensor.quantization.zero_point, kind)
        assert elements.min() == np.iinfo(kind).min and elements.max() == np.iinfo(kind).max
    expected = interpreter_outputs(path, [("image", elements)])["probabilities"]
    (outputs,) = bench.outputs(job)
    assert outputs.tobytes() == expected.tobytes()
    assert len({row.tobytes() for row in outputs}) > 8


def test_float_records_are_quantized_for_an_int8_model(
    bench: Bench, tiny_models: Path, random: np.random.Generator
) -> None:
    path = tiny_models / "image_int8.tflite"
    records = random.uniform(-1.2, 1.2, (8, 1, 8, 8, 3)).astype(np.float32)
    job = bench.job(path, [("", records, tensor_encoding(records))])
    assert bench.run().returncode == 0
    quantization = only(bench.events(), ModelDescribed)[0].inputs[0].quantization
    assert quantization is not None
    elements = quantized(records, quantization.scale, quantization.zero_point, np.int8)
    expected = interpreter_outputs(path, [("image", elements)])["probabilities"]
    assert bench.outputs(job)[0].tobytes() == expected.tobytes()


def test_characters_reach_the_model_as_they_were_encoded(bench: Bench, tiny_models: Path) -> None:
    path = tiny_models / "tokens_int32.tflite"
    rule = TextEncoding(alphabet="abcdefghijklmnopqrstuvwxyz !?", length=12)
    texts = ["Hello", "", "what is it?", "a text beyond the length", "שלום", "e\u0301\u200d!", *"abcdefghij"]
    records = encode_texts(texts, rule)[:, np.newaxis]
    job = bench.job(path, [("", records, CharacterEncoding.of(rule))])
    assert bench.run().returncode == 0
    expected = interpreter_outputs(path, [("tokens", records)])["probabilities"]
    (outputs,) = bench.outputs(job)
    assert outputs.tobytes() == expected.tobytes()
    assert len({row.tobytes() for row in outputs}) > 8


def stateful_outputs(model: Path, records: Records, *, reset: bool) -> Records:
    """What the interpreter gives for one input after the other, its variables reset before each or never."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.reset_all_variables()
    outputs = []
    for record in records:
        if reset:
            interpreter.reset_all_variables()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], record)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.stack(outputs)


@pytest.mark.parametrize("loading", [Loading.MAPPED, Loading.HEAP])
def test_a_fused_recurrent_layer_forgets_the_input_before(
    bench: Bench, tiny_models: Path, random: np.random.Generator, loading: Loading
) -> None:
    path = tiny_models / "stateful_int32.tflite"
    records = random.integers(0, 50, (16, 1, 12)).astype(np.int32)
    job = bench.job(path, [("", records, tensor_encoding(records))], loading=loading, steady=RUNS_OF_EACH)
    assert bench.run().returncode == 0
    (outputs,) = bench.outputs(job)
    assert outputs.tobytes() == stateful_outputs(path, records, reset=True).tobytes()
    # The state would show: without clearing it all inputs but the first give something else.
    stale = stateful_outputs(path, records, reset=False)
    assert (np.abs(outputs - stale).reshape(16, -1).max(axis=1) > 0.01).sum() > 12
    finished = bench.events()[-1]
    assert isinstance(finished, JobFinished) and finished.repeat_mismatches == 0
    described = only(bench.events(), ModelDescribed)[0]
    assert [tensor.name for tensor in described.inputs] == ["tokens"]


def text_job(bench: Bench, tiny_models: Path, typed: list[str] | None) -> Job:
    """Two texts to run and ``typed`` to type."""
    rule = TextEncoding(alphabet="abcdefghijklmnopqrstuvwxyz !?", length=12)
    records = encode_texts(["one", "two"], rule)[:, np.newaxis]
    model = tiny_models / "tokens_int32.tflite"
    return bench.job(model, [("", records, CharacterEncoding.of(rule))], typed=typed)


def test_each_character_that_reaches_the_model_is_a_keystroke(bench: Bench, tiny_models: Path) -> None:
    text_job(bench, tiny_models, ["so on", "two of these twelve", "né👍"])
    assert bench.run().returncode == 0
    events = bench.events()
    (typed,) = only(events, Keystrokes)
    assert (typed.texts, len(typed.latency_ns)) == (3, 5 + 12 + 3)
    assert isinstance(events[-1], JobFinished) and isinstance(events[-2], Keystrokes)
    # None of them is a sample, and a finished job types nothing again.
    assert [index for index, _ in steady_samples(events)] == [0, 1]
    assert bench.run().returncode == 0 and bench.events() == events


def test_a_resumed_job_does_not_type_again(bench: Bench, tiny_models: Path) -> None:
    text_job(bench, tiny_models, ["so on"])
    assert bench.run().returncode == 0
    log = bench.folder() / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert bench.run().returncode == 0
    events = bench.events()
    assert len(only(events, JobStarted)) == 2 and len(only(events, Keystrokes)) == 1


def test_texts_that_cannot_be_typed(bench: Bench, tiny_models: Path) -> None:
    text_job(bench, tiny_models, [])
    assert bench.failure().code == "job_invalid"


@pytest.mark.parametrize("batch", [1, 3])
def test_inputs_are_bound_by_name_and_free_dimensions_follow_the_records(
    bench: Bench, tiny_models: Path, random: np.random.Generator, batch: int
) -> None:
    path = tiny_models / "two_in_two_out.tflite"
    zulu = random.normal(size=(5, batch, 4)).astype(np.float32)
    alpha = random.normal(size=(5, batch, 6)).astype(np.float32)
    job = bench.job(path, [("alpha", alpha, tensor_encoding(alpha)), ("zulu", zulu, tensor_encoding(zulu))])
    assert bench.run().returncode == 0
    described = only(bench.events(), ModelDescribed)[0]
    assert {tensor.name: tensor.shape for tensor in described.inputs} == {
        "zulu": (batch, 4),
        "alpha": (batch, 6),
    }
    expected = interpreter_outputs(path, [("zulu", zulu), ("alpha", alpha)])
    for tensor, outputs in zip(described.outputs, bench.outputs(job), strict=True):
        assert outputs.tobytes() == expected[tensor.name].tobytes()


# The log


def test_a_process_that_stands_for_an_app_tells_of_its_phone(
    bench: Bench, tiny_models: Path, tmp_path: Path
) -> None:
    image_job(bench, tiny_models)
    file = tmp_path / "conditions.json"
    file.write_text('{"thermal_state": "serious", "low_power_mode": true, "battery_level": 0.05}')
    phone = ("--device-model", "iPhone16,2", "--os", "iOS", "--os-version", "18.5 (22F76)")
    assert bench.run("job", *phone, "--conditions", str(file)).returncode == 0
    device = only(bench.events(), JobStarted)[0].device
    assert (device.model, device.os, device.os_version) == ("iPhone16,2", "iOS", "18.5 (22F76)")
    conditions = only(bench.events(), StageFinished)[0].conditions
    assert conditions is not None
    assert conditions.thermal_state == "serious"
    assert (conditions.low_power_mode, conditions.battery_level) == (True, 0.05)


@pytest.mark.parametrize("text", ["", "{", '{"battery_level": "full"}', '{"thermal_state": "tepid"}', "[]"])
def test_conditions_that_cannot_be_read_are_left_out(
    bench: Bench, tiny_models: Path, tmp_path: Path, text: str
) -> None:
    image_job(bench, tiny_models)
    (tmp_path / "conditions.json").write_text(text)
    assert bench.run("job", "--conditions", str(tmp_path / "conditions.json")).returncode == 0
    for stage in only(bench.events(), StageFinished):
        conditions = stage.conditions
        assert conditions is None or (conditions.thermal_state, conditions.battery_level) == (None, None)


def test_the_log_of_a_whole_job(bench: Bench, tiny_models: Path) -> None:
    steady = StopRule(min_runs=40, min_duration_ns=0)
    job = image_job(bench, tiny_models, warmup=StopRule(min_runs=5, min_duration_ns=0), steady=steady)
    assert bench.run("job", "--runtime-version", "2.3.0", "--target-class", "virtual").returncode == 0
    events = bench.events()
    kinds = [event.event for event in events]
    assert kinds[:6] == ["job_started", *["stage_finished"] * 3, "model_described", "stage_finished"]
    stages = only(events, StageFinished)
    assert [stage.stage for stage in stages] == list(Stage)
    assert stages[0].duration_ns is None and all(stage.duration_ns is not None for stage in stages[1:])
    assert all(stage.memory.resident_bytes or stage.memory.footprint_bytes for stage in stages)
    started = only(events, JobStarted)[0]
    assert (started.attempt, started.runtime.version, started.device.target_class) == (1, "2.3.0", "virtual")
    assert started.runtime.library_bytes == bench.library.stat().st_size
    warmup = [block for block in only(events, Samples) if block.phase is Stage.WARMUP]
    assert [index for block in warmup for index in block.inputs] == [0, 1, 2, 0, 1]
    assert [index for index, _ in steady_samples(events)] == [run % 3 for run in range(40)]
    assert max(len(block.inputs) for block in only(events, Samples)) <= 32
    times = [event.t_ns for event in events]
    assert times == sorted(times)
    finished = events[-1]
    assert isinstance(finished, JobFinished)
    content = (bench.folder() / "outputs.bin").read_bytes()
    assert finished.outputs_sha256 == hashlib.sha256(content).hexdigest()
    assert (finished.outputs_bytes, finished.output_records) == (len(content), job.input_count)
    assert (finished.steady_samples, finished.repeat_mismatches) == (40, 0)


def test_a_phase_ends_by_its_longest_duration_yet_every_input_runs(bench: Bench, tiny_models: Path) -> None:
    endless = StopRule(min_runs=10**9, min_duration_ns=0, max_duration_ns=1)
    image_job(bench, tiny_models, count=7, warmup=endless, steady=endless)
    assert bench.run().returncode == 0
    assert sorted(index for index, _ in steady_samples(bench.events())) == list(range(7))


def test_a_phase_lasts_its_least_duration(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models, steady=StopRule(min_runs=0, min_duration_ns=150_000_000))
    assert bench.run().returncode == 0
    steady = only(bench.events(), StageFinished)[-1]
    assert steady.duration_ns is not None and steady.duration_ns >= 150_000_000
    assert len(steady_samples(bench.events())) > 3


def test_repeat_mismatches_are_counted_over_attempts(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models, steady=StopRule(min_runs=9, min_duration_ns=0))
    assert bench.run().returncode == 0
    log = bench.folder() / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    block = json.loads(lines[-3])
    assert (block["event"], block["repeat_mismatches"]) == ("samples", 0)
    block["repeat_mismatches"] = 2
    lines[-3] = json.dumps(block).encode() + b"\n"
    log.write_bytes(b"".join(lines[:-2]))
    # One byte of input 0's record changes, so the one repetition of it that is still missing differs.
    outputs = bench.folder() / "outputs.bin"
    content = bytearray(outputs.read_bytes())
    content[0] ^= 1
    outputs.write_bytes(content)
    image_job(bench, tiny_models, steady=StopRule(min_runs=10, min_duration_ns=0))
    assert bench.run().returncode == 0
    finished = bench.events()[-1]
    assert isinstance(finished, JobFinished)
    assert (finished.steady_samples, finished.repeat_mismatches) == (10, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_runtime_works_with_as_many_threads_as_asked(
    bench: Bench, tiny_models: Path, threads: int
) -> None:
    endless = StopRule(min_runs=10**9, min_duration_ns=0)
    image_job(bench, tiny_models, threads=threads, steady=endless)
    process = subprocess.Popen(bench.command(bench.folder()), stderr=subprocess.DEVNULL)
    try:
        wait_for_steady(bench)
        assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) == threads
    finally:
        process.kill()
        process.wait()


# Resuming


def wait_for_steady(bench: Bench) -> None:
    log = bench.folder() / "events.jsonl"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if log.is_file() and b'"phase":"steady"' in log.read_bytes():
            return
        time.sleep(0.01)
    pytest.fail("the steady phase did not begin")


def cuts(log: bytes) -> list[int]:
    """Every line boundary but the end, and the middle of every line."""
    ends = [position + 1 for position, byte in enumerate(log) if byte == ord("\n")]
    starts = [0, *ends[:-1]]
    return sorted({*starts, *((start + end) // 2 for start, end in zip(starts, ends, strict=True))})


def test_a_log_cut_anywhere_resumes_without_loss_or_repeat(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models, count=5, steady=StopRule(min_runs=70, min_duration_ns=0))
    assert bench.run().returncode == 0
    log = bench.folder() / "events.jsonl"
    outputs = bench.folder() / "outputs.bin"
    whole = log.read_bytes()
    records = outputs.read_bytes()
    for cut in cuts(whole):
        log.write_bytes(whole[:cut])
        kept = whole[: whole.rfind(b"\n", 0, cut) + 1]
        before = [event for event in kept.splitlines() if b'"phase":"steady"' in event]
        outputs.write_bytes(records if before else b"")
        assert bench.run().returncode == 0
        resumed = log.read_bytes()
        assert resumed.startswith(kept)
        events = bench.events()
        finished = events[-1]
        assert isinstance(finished, JobFinished)
        samples = steady_samples(events)
        assert (len(samples), finished.steady_samples, finished.repeat_mismatches) == (70, 70, 0)
        assert [index for index, _ in samples] == [run % 5 for run in range(70)]
        assert outputs.read_bytes() == records
        started = only(events, JobStarted)
        assert [event.attempt for event in started] == list(range(1, len(started) + 1))
        assert len(started) == (2 if b"job_started" in kept else 1)


def test_a_finished_log_is_left_alone(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models)
    assert bench.run().returncode == 0
    before = (bench.folder() / "events.jsonl").read_bytes()
    assert bench.run().returncode == 0
    assert (bench.folder() / "events.jsonl").read_bytes() == before


def test_outputs_lost_after_the_log_was_written_are_made_again(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models, count=4)
    assert bench.run().returncode == 0
    log = bench.folder() / "events.jsonl"
    outputs = bench.folder() / "outputs.bin"
    records = outputs.read_bytes()
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-2]))
    outputs.write_bytes(records[: len(records) // 2])
    assert bench.run().returncode == 0
    assert outputs.read_bytes() == records
    assert [index for index, _ in steady_samples(bench.events())] == [0, 1, 2, 3, 2, 3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_attempt_and_the_next_one_finishes(
    bench: Bench, tiny_models: Path, number: signal.Signals
) -> None:
    image_job(bench, tiny_models, steady=StopRule(min_runs=10**9, min_duration_ns=0))
    process = subprocess.Popen(bench.command(bench.folder()), stderr=subprocess.DEVNULL)
    try:
        wait_for_steady(bench)
        process.send_signal(number)
        assert process.wait(30) == -number
    finally:
        process.kill()
    content = (bench.folder() / "events.jsonl").read_bytes()
    assert content.endswith(b"\n")
    assert not only(bench.events(), JobFinished) and not only(bench.events(), JobFailed)
    done_before = len(steady_samples(bench.events()))
    image_job(bench, tiny_models, steady=StopRule(min_runs=done_before + 5, min_duration_ns=0))
    assert bench.run().returncode == 0
    assert len(steady_samples(bench.events())) == done_before + 5


def test_a_killed_attempt_is_resumed(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models, steady=StopRule(min_runs=10**9, min_duration_ns=0))
    process = subprocess.Popen(bench.command(bench.folder()), stderr=subprocess.DEVNULL)
    wait_for_steady(bench)
    process.kill()
    process.wait()
    done_before = len(steady_samples(bench.events()))
    image_job(bench, tiny_models, steady=StopRule(min_runs=done_before + 5, min_duration_ns=0))
    assert bench.run().returncode == 0
    assert len(steady_samples(bench.events())) == done_before + 5


def test_two_runners_do_not_share_a_job(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models, steady=StopRule(min_runs=10**9, min_duration_ns=0))
    process = subprocess.Popen(bench.command(bench.folder()), stderr=subprocess.DEVNULL)
    try:
        wait_for_steady(bench)
        second = bench.run()
        assert second.returncode == 2
        assert "another runner" in second.stderr
    finally:
        process.kill()
        process.wait()


# Blobs


def test_the_first_reader_marks_a_blob_and_later_ones_trust_the_mark(bench: Bench, tiny_models: Path) -> None:
    job = image_job(bench, tiny_models)
    blob = bench.root / "blobs" / job.inputs[0].blob.sha256
    marker = blob.with_name(blob.name + ".verified")
    assert bench.run().returncode == 0
    assert marker.read_bytes() == b""
    # The same size and an old enough time: only the mark keeps this from being found out.
    changed = bytes(blob.stat().st_size)
    blob.chmod(0o644)
    blob.write_bytes(changed)
    os.utime(blob, ns=(0, 0))
    shutil.rmtree(bench.folder())
    image_job(bench, tiny_models)
    assert bench.run().returncode == 0
    os.utime(blob)
    shutil.rmtree(bench.folder())
    image_job(bench, tiny_models)
    os.utime(marker, ns=(0, 0))
    assert bench.failure().code == "blob_corrupt"


@pytest.mark.parametrize("which", ["model", "input"])
def test_a_missing_blob(bench: Bench, tiny_models: Path, which: str) -> None:
    job = image_job(bench, tiny_models)
    blob = job.model if which == "model" else job.inputs[0].blob
    (bench.root / "blobs" / blob.sha256).unlink()
    failed = bench.failure()
    assert (failed.code, failed.stage) == ("blob_missing", Stage.START)
    assert blob.sha256 in failed.message


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[::-1]]
)
def test_a_changed_blob(bench: Bench, tiny_models: Path, change: Callable[[bytes], bytes]) -> None:
    job = image_job(bench, tiny_models)
    path = bench.root / "blobs" / job.inputs[0].blob.sha256
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(change(data))
    assert bench.failure().code == "blob_corrupt"
    assert not path.with_name(path.name + ".verified").exists()


def test_a_blob_that_is_no_file(bench: Bench, tiny_models: Path) -> None:
    job = image_job(bench, tiny_models)
    path = bench.root / "blobs" / job.inputs[0].blob.sha256
    path.unlink()
    os.mkfifo(path)
    assert bench.failure().code == "io_failed"
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert bench.failure().code == "io_failed"


# Bad jobs, logs, models and runtimes


@pytest.mark.parametrize("path", sorted((GOLDEN / "invalid").glob("job-*.json")), ids=lambda path: path.stem)
def test_golden_invalid_jobs_are_refused(bench: Bench, path: Path) -> None:
    folder = bench.folder("r00-int8")
    folder.mkdir(parents=True)
    shutil.copy(path, folder / "job.json")
    failed = bench.failure("r00-int8")
    assert (failed.code, failed.stage) == ("job_invalid", Stage.START)
    assert "job.json" in failed.message


def test_a_newer_job_says_update(bench: Bench) -> None:
    folder = bench.folder("r00-int8")
    folder.mkdir(parents=True)
    shutil.copy(GOLDEN / "invalid" / "job-newer-version.json", folder / "job.json")
    assert "update" in bench.failure("r00-int8").message


@pytest.mark.parametrize("path", sorted((GOLDEN / "valid").glob("job-*.json")), ids=lambda path: path.stem)
def test_golden_valid_jobs_get_as_far_as_their_blobs(bench: Bench, path: Path) -> None:
    job_id = json.loads(path.read_bytes())["job_id"]
    folder = bench.folder(job_id)
    folder.mkdir(parents=True)
    shutil.copy(path, folder / "job.json")
    assert bench.failure(job_id).code == "blob_missing"


def test_a_folder_without_a_job(bench: Bench) -> None:
    bench.folder().mkdir(parents=True)
    assert bench.failure().code == "job_invalid"


def test_a_job_under_another_name(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models)
    bench.folder().rename(bench.folder("other"))
    assert "not the folder's name" in bench.failure("other").message


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"wire_version": 1e400}',
        b'{"wire_version": 99999999999999999999}',
        b'{"job_id": "\\ud800"}',
        b'{"job_id": "\xff"}',
        b'{"job_id": "\x00"}',
        b"x" * 2_000_000,
    ],
    ids=range(8),
)
def test_hostile_json(bench: Bench, text: bytes) -> None:
    bench.folder().mkdir(parents=True)
    (bench.folder() / "job.json").write_bytes(text)
    assert bench.failure().code == "job_invalid"


@pytest.mark.parametrize("path", sorted((GOLDEN / "invalid").glob("log-*.jsonl")), ids=lambda path: path.stem)
def test_a_log_with_a_line_that_is_no_record(bench: Bench, tiny_models: Path, path: Path) -> None:
    image_job(bench, tiny_models, job_id="r00-int8")
    log = bench.folder("r00-int8") / "events.jsonl"
    shutil.copy(path, log)
    before = log.read_bytes()
    assert bench.run("r00-int8").returncode == 3
    after = log.read_bytes()
    assert after.startswith(before)
    failed = json.loads(after[len(before) :])
    assert (failed["event"], failed["code"]) == ("job_failed", "job_invalid")
    assert "line 2" in failed["message"]


@pytest.mark.parametrize(
    "garbage", [b"\n", b"\0" * 5000 + b"\n", b"{}\n", b"x" * 3_000_000 + b"\n", b"[" * 99 + b"\n"]
)
def test_a_garbage_log(bench: Bench, tiny_models: Path, garbage: bytes) -> None:
    image_job(bench, tiny_models)
    log = bench.folder() / "events.jsonl"
    log.write_bytes(garbage)
    assert bench.run().returncode == 3
    failed = json.loads(log.read_bytes().splitlines()[-1])
    assert (failed["code"], failed["stage"]) == ("job_invalid", "start")


def test_the_log_of_another_job(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models, job_id="first")
    assert bench.run("first").returncode == 0
    image_job(bench, tiny_models, job_id="second")
    log = (bench.folder("first") / "events.jsonl").read_bytes().splitlines(keepends=True)
    (bench.folder("second") / "events.jsonl").write_bytes(b"".join(log[:-1]))
    assert "another job" in bench.failure("second").message


@pytest.mark.parametrize("loading", list(Loading))
@pytest.mark.parametrize("kept", [0, 1, 7, 8, 100, 1000, 4000, 7000])
def test_a_truncated_model(bench: Bench, tiny_models: Path, kept: int, loading: Loading) -> None:
    content = (tiny_models / "image_float32.tflite").read_bytes()[:kept]
    records = np.zeros((1, 1, 8, 8, 3), np.float32)
    bench.job(content, [("", records, tensor_encoding(records))], loading=loading)
    failed = bench.failure()
    assert (failed.code, failed.stage) == ("model_invalid", Stage.LOAD)


def test_a_model_that_is_something_else(bench: Bench) -> None:
    records = np.zeros((1, 1, 8, 8, 3), np.float32)
    bench.job(b"PK\x03\x04" + bytes(range(256)) * 64, [("", records, tensor_encoding(records))])
    assert bench.failure().code == "model_invalid"


@pytest.mark.parametrize(
    ("model", "shape", "dtype", "words"),
    [
        ("image_float32", (1, 8, 8, 4), DType.FLOAT32, "shape [1, 8, 8, 4]"),
        ("image_float32", (8, 8, 3), DType.FLOAT32, "shape [8, 8, 3]"),
        ("image_float32", (1, 8, 8, 3), DType.INT8, "int8"),
        ("image_int8", (1, 8, 8, 3), DType.UINT8, "uint8"),
        ("tokens_int32", (1, 12), DType.INT64, "int64"),
        ("tokens_int32", (1, 12), DType.FLOAT32, "float32"),
        ("two_in_two_out", (1, 4), DType.FLOAT32, "1 inputs, the model 2"),
    ],
)
def test_records_that_do_not_fit_the_model(
    bench: Bench, tiny_models: Path, model: str, shape: tuple[int, ...], dtype: DType, words: str
) -> None:
    records = np.zeros((2, *shape), dtype.value)
    bench.job(tiny_models / f"{model}.tflite", [("", records, TensorEncoding(dtype=dtype, shape=shape))])
    failed = bench.failure()
    assert (failed.code, failed.stage) == ("input_mismatch", Stage.COMPILE)
    assert words in failed.message


def test_pixels_and_texts_that_do_not_fit_the_model(bench: Bench, tiny_models: Path) -> None:
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    bench.job(tiny_models / "image_float32.tflite", [("", pixels, pixel_encoding(pixels, 0, 1))])
    assert bench.failure().code == "input_mismatch"
    pixels = np.zeros((2, 2, 2, 3), np.uint8)
    bench.job(
        tiny_models / "tokens_int32.tflite", [("", pixels, pixel_encoding(pixels, 0, 1))], job_id="tokens"
    )
    assert "cannot take pixels" in bench.failure("tokens").message
    texts = np.zeros((2, 1, 11), np.int32)
    rule = TextEncoding(alphabet="ab", length=11)
    bench.job(tiny_models / "tokens_int32.tflite", [("", texts, CharacterEncoding.of(rule))], job_id="texts")
    assert "does not take records of shape" in bench.failure("texts").message


@pytest.mark.parametrize(
    ("names", "words"),
    [(("zulu", "zulu"), "two inputs"), (("", "zulu"), "two inputs"), (("zulu", "x"), "no input 'x'")],
)
def test_inputs_that_cannot_be_bound(
    bench: Bench, tiny_models: Path, names: tuple[str, str], words: str
) -> None:
    records: Records = np.zeros((2, 1, 4), np.float32)
    inputs: list[tuple[str, Records, Encoding]] = [
        (name, records, tensor_encoding(records)) for name in names
    ]
    bench.job(tiny_models / "two_in_two_out.tflite", inputs)
    assert words in bench.failure().message


def test_a_token_outside_the_table_fails_the_job_and_not_the_process(bench: Bench, tiny_models: Path) -> None:
    records = np.full((2, 1, 12), 10**6, np.int32)
    bench.job(tiny_models / "tokens_int32.tflite", [("", records, tensor_encoding(records))])
    failed = bench.failure()
    assert (failed.code, failed.stage) == ("invoke_failed", Stage.FIRST_RUN)


def test_a_runtime_that_is_not_there(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models)
    absent = Bench(bench.root, bench.executable, bench.root / "libLiteRt.so")
    assert absent.failure().code == "runtime_missing"


def test_a_runtime_that_is_another_library(bench: Bench, tiny_models: Path) -> None:
    import _hashlib

    image_job(bench, tiny_models)
    other = Bench(bench.root, bench.executable, Path(_hashlib.__file__))
    failed = other.failure()
    assert failed.code in {"runtime_unsupported", "runtime_missing"}


def test_a_runtime_that_is_too_old(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models)
    assert bench.run("job", "--runtime-version", "2.1.6").returncode == 3
    last = bench.events()[-1]
    assert isinstance(last, JobFailed) and last.code == "runtime_unsupported"


def test_a_failed_job_can_be_run_again(bench: Bench, tiny_models: Path) -> None:
    job = image_job(bench, tiny_models)
    blob = bench.root / "blobs" / job.model.sha256
    blob.rename(blob.with_suffix(".away"))
    assert bench.failure().code == "blob_missing"
    blob.with_suffix(".away").rename(blob)
    assert bench.run().returncode == 0
    assert [event.attempt for event in only(bench.events(), JobStarted)] == [1, 2]


# The command line


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["walk"],
        ["run"],
        ["run", "x"],
        ["run", "x", "--runtime"],
        ["run", "x", "y", "--runtime", "z"],
        ["run", "x", "--runtime", "z", "--target-class", "moon"],
        ["describe", "x", "--what", "z"],
    ],
)
def test_wrong_use(runner_executable: Path, words: list[str]) -> None:
    done = subprocess.run([runner_executable, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage:" in done.stderr


def test_a_job_folder_that_is_none(bench: Bench, tmp_path: Path) -> None:
    assert "no such job folder" in bench.run("nowhere").stderr
    outside = subprocess.run(bench.command(tmp_path), capture_output=True, text=True, check=False)
    assert outside.returncode == 2 and "not a job folder" in outside.stderr
    assert not (tmp_path / "events.jsonl").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_log_that_cannot_be_written(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models)
    (bench.folder() / "events.jsonl").symlink_to("/dev/full")
    done = bench.run()
    assert done.returncode == 2 and "events.jsonl" in done.stderr


def test_version(runner_executable: Path) -> None:
    done = subprocess.run([runner_executable, "version"], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer.keys() == {"version", "wire_version", "platform"}
    assert answer["wire_version"] == 1


def test_describe(bench: Bench, tiny_models: Path) -> None:
    command = bench.describe_command(tiny_models / "image_int8.tflite")
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert answer["inputs"][0]["shape"] == [1, 8, 8, 3]
    assert answer["inputs"][0]["dtype"] == "int8"
    assert answer["outputs"][0]["quantization"] == {"scale": 0.00390625, "zero_point": -128}


def test_describe_says_what_is_wrong(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"nothing of the sort")
    for name, words in (("x.tflite", "cannot be loaded"), ("y.tflite", "No such file")):
        done = subprocess.run(
            bench.describe_command(tmp_path / name), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr

"""What every target promises, whichever it is: one more line in ``TARGETS`` puts another to the same test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from job_bench import Bench, pixel_encoding, steady_samples, tensor_encoding
from shared_phones import LAUNCHING_IOS, SharedCluster, SharedPhone, SharedPhones

from harness.core.events import (
    Event,
    JobFinished,
    JobStarted,
    Keystrokes,
    ModelDescribed,
    Samples,
    Stage,
    TargetClass,
)
from harness.core.jobs import CharacterEncoding, Job, StopRule
from harness.core.runs import JobOutcome, JobStatus
from harness.core.text_encoding import TextEncoding, encode_texts
from harness.errors import TargetError
from harness.targets.base import Target
from harness.targets.cluster import ClusterTarget
from harness.targets.local import LocalTarget, RuntimeLibrary, find_runtime_library
from harness.targets.replay import ReplayTarget
from harness.wire.event_log import read_events
from harness.wire.job_folder import read_output_records

MakeTarget = Callable[[Bench, Path], Target]
COUNT = 5
RUNS = 23
PATIENCE_S = 30.0


def make_local(bench: Bench, recording: Path) -> Target:
    del recording
    return LocalTarget(bench.executable, RuntimeLibrary(bench.library, "2.3.0"), idle_limit_s=PATIENCE_S)


def make_replay(bench: Bench, recording: Path) -> Target:
    """Of the same jobs, run on this machine just before."""
    recorded = Bench(recording, bench.executable, bench.library)
    for folder in sorted((bench.root / "jobs").iterdir()):
        place_again(bench, recorded, folder.name)
        recorded.run(folder.name)
    return ReplayTarget(recording)


def place_again(bench: Bench, other: Bench, job_id: str) -> None:
    other.folder(job_id).mkdir(parents=True)
    (other.folder(job_id) / "job.json").write_bytes((bench.folder(job_id) / "job.json").read_bytes())
    (other.root / "blobs").mkdir(exist_ok=True)
    for blob in (bench.root / "blobs").iterdir():
        (other.root / "blobs" / blob.name).write_bytes(blob.read_bytes())


def make_virtual(ios: str) -> MakeTarget:
    """The phone of that release that all tests share, with all that is on it from the tests before."""

    def make(bench: Bench, recording: Path) -> Target:
        del bench, recording
        return SharedPhones.target(ios)

    return make


def make_cluster(bench: Bench, recording: Path) -> Target:
    """A virtual phone at a worker of this machine's own cluster, shared in the same way."""
    del bench, recording
    return SharedCluster.target()


TARGETS = [
    pytest.param(make_local, id="local"),
    pytest.param(make_replay, id="replay"),
    *(pytest.param(make_virtual(ios), id=f"virtual-{ios}") for ios in LAUNCHING_IOS),
    pytest.param(make_cluster, id="cluster"),
]
every_target = pytest.mark.parametrize("make", TARGETS)


@pytest.fixture
def bench(tmp_path: Path, runner_executable: Path, runtime_library: Path) -> Bench:
    return Bench(tmp_path / "root", runner_executable, runtime_library)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return tmp_path / "recording"


def place_job(bench: Bench, tiny_models: Path, runs: int = RUNS, model: bytes | None = None) -> Job:
    records = np.random.default_rng(1).integers(0, 256, (COUNT, 8, 8, 3)).astype(np.uint8)
    return bench.job(
        model if model is not None else tiny_models / "image_float32.tflite",
        [("", records, pixel_encoding(records, 127.5, 127.5))],
        steady=StopRule(min_runs=runs, min_duration_ns=0),
    )


def run(target: Target, bench: Bench) -> tuple[JobOutcome, list[Event]]:
    heard: list[Event] = []
    try:
        return target.run(bench.root, "job", heard.append), heard
    finally:
        target.close()


@every_target
def test_a_job_finishes(make: MakeTarget, bench: Bench, recording: Path, tiny_models: Path) -> None:
    job = place_job(bench, tiny_models)
    target = make(bench, recording)
    outcome, heard = run(target, bench)
    assert (outcome.status, outcome.job_id, outcome.problem) == (JobStatus.FINISHED, "job", "")
    events = bench.events()
    assert tuple(heard) == events
    assert isinstance(events[0], JobStarted) and isinstance(events[-1], JobFinished)
    assert [event.t_ns for event in events] == sorted(event.t_ns for event in events)
    assert events[0].device.target_class is target.target_class
    assert len(steady_samples(events)) == events[-1].steady_samples == RUNS
    (described,) = [event for event in events if isinstance(event, ModelDescribed)]
    outputs = read_output_records(bench.folder() / "outputs.bin", described, job.input_count)
    assert outputs[0].shape == (COUNT, 1, 10)
    assert np.allclose(outputs[0].sum(axis=2), 1)


@every_target
def test_a_job_that_types_texts(make: MakeTarget, bench: Bench, recording: Path, tiny_models: Path) -> None:
    """The texts are a blob of their own, which has to reach the target like the others."""
    rule = TextEncoding(alphabet="abcdefghijklmnopqrstuvwxyz ", length=12)
    records = encode_texts(["one", "two"], rule)[:, np.newaxis]
    model = tiny_models / "tokens_int32.tflite"
    bench.job(model, [("", records, CharacterEncoding.of(rule))], typed=["three four", "five"])
    outcome, _ = run(make(bench, recording), bench)
    assert outcome.status is JobStatus.FINISHED, outcome
    (typed,) = [event for event in bench.events() if isinstance(event, Keystrokes)]
    assert (typed.texts, len(typed.latency_ns)) == (2, 14)


@every_target
def test_a_job_that_was_cut_off_loses_and_repeats_nothing(
    make: MakeTarget, bench: Bench, recording: Path, tiny_models: Path
) -> None:
    place_job(bench, tiny_models, runs=200)
    target = make(bench, recording)
    bench.run()
    log = bench.folder() / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    steady = [index for index, line in enumerate(lines) if b'"samples"' in line and b'"steady"' in line]
    assert len(steady) >= 3
    # In the middle of a line, as a power cut would leave it.
    kept = lines[: steady[1] + 1]
    log.write_bytes(b"".join(kept) + lines[steady[2]][:20])
    if isinstance(target, ReplayTarget):
        (recording / "jobs" / "job" / "events.jsonl").write_bytes(b"".join(lines))
    known = len(kept)
    outcome, heard = run(target, bench)
    assert outcome.status is JobStatus.FINISHED
    events = bench.events()
    assert b"".join(kept) == b"".join(log.read_bytes().splitlines(keepends=True)[:known])
    assert tuple(heard) == events[known:]
    samples = steady_samples(events)
    assert len(samples) == 200
    counts = np.bincount([index for index, _ in samples], minlength=COUNT)
    assert counts.max() - counts.min() <= 1


@every_target
def test_a_finished_job_is_left_alone(
    make: MakeTarget, bench: Bench, recording: Path, tiny_models: Path
) -> None:
    place_job(bench, tiny_models)
    target = make(bench, recording)
    assert target.run(bench.root, "job", lambda event: None).status is JobStatus.FINISHED
    before = bench.events()
    outcome, heard = run(target, bench)
    assert outcome.status is JobStatus.FINISHED
    assert heard == [] and bench.events() == before


@every_target
def test_a_model_that_the_runtime_refuses(
    make: MakeTarget, bench: Bench, recording: Path, tiny_models: Path
) -> None:
    place_job(bench, tiny_models, model=b"\x1c\x00\x00\x00TFL3" + bytes(500))
    outcome, heard = run(make(bench, recording), bench)
    assert outcome.status is JobStatus.REFUSED
    assert outcome.stage in (Stage.LOAD, Stage.COMPILE)
    assert outcome.code in ("model_invalid", "compile_failed")
    assert outcome.problem and outcome.next_step
    assert tuple(heard) == bench.events()


@every_target
def test_records_that_the_model_does_not_take(
    make: MakeTarget, bench: Bench, recording: Path, tiny_models: Path
) -> None:
    records = np.zeros((COUNT, 3), np.float32)
    bench.job(tiny_models / "image_float32.tflite", [("", records, tensor_encoding(records))])
    outcome, _ = run(make(bench, recording), bench)
    assert (outcome.status, outcome.code) == (JobStatus.REFUSED, "input_mismatch")
    assert outcome.next_step


@every_target
def test_it_says_what_it_is(make: MakeTarget, bench: Bench, recording: Path, tiny_models: Path) -> None:
    place_job(bench, tiny_models)
    target = make(bench, recording)
    assert target.description
    is_virtual = isinstance(target, SharedPhone | ClusterTarget)
    assert target.target_class is (TargetClass.VIRTUAL if is_virtual else TargetClass.LOCAL)
    target.close()


class TestReplay:
    def test_a_job_that_was_not_recorded(self, bench: Bench, recording: Path, tiny_models: Path) -> None:
        place_job(bench, tiny_models)
        target = make_replay(bench, recording)
        place_job(bench, tiny_models, runs=RUNS + 1)
        with pytest.raises(TargetError, match="does not hold job job"):
            run(target, bench)

    def test_a_folder_without_a_recording(self, tmp_path: Path) -> None:
        with pytest.raises(TargetError, match="holds no recorded job"):
            ReplayTarget(tmp_path)


def local(bench: Bench, runner: Path, idle_limit_s: float = PATIENCE_S) -> LocalTarget:
    return LocalTarget(runner, find_runtime_library(), idle_limit_s=idle_limit_s)


@pytest.fixture
def write_runner(tmp_path: Path, bench: Bench, tiny_models: Path) -> Callable[[str], Path]:
    """Makes an executable that writes a true ``job_started`` and ``start``, notes its process, then does ``body``."""

    def write(body: str) -> Path:
        example = Bench(tmp_path / "example", bench.executable, bench.library)
        place_job(example, tiny_models)
        example.run()
        first = (example.folder() / "events.jsonl").read_text().splitlines(keepends=True)[:2]
        path = tmp_path / "runner"
        path.write_text(
            f"#!{sys.executable}\n"
            + textwrap.dedent(
                """
                import os, signal, sys, time
                from pathlib import Path
                folder = Path(sys.argv[2])
                def append(lines):
                    with (folder / "events.jsonl").open("a") as log:
                        log.writelines(lines)
                """
            )
            + f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
            + f"append({first!r})\n"
            + textwrap.dedent(body)
        )
        path.chmod(0o755)
        place_job(bench, tiny_models)
        return path

    return write


def assert_gone(tmp_path: Path) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


class TestLocalRunnerInTrouble:
    """With real processes in the runner's place."""

    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
    def test_it_crashes(
        self, bench: Bench, write_runner: Callable[[str], Path], number: signal.Signals
    ) -> None:
        runner = write_runner(f"os.kill(os.getpid(), {int(number)})")
        outcome, heard = run(local(bench, runner), bench)
        assert (outcome.status, outcome.code) == (JobStatus.CRASHED, number.name.lower())
        assert outcome.stage is Stage.LOAD
        assert number.name in outcome.problem and outcome.next_step
        assert tuple(heard) == bench.events() and len(heard) == 2

    def test_it_ends_without_a_word(self, bench: Bench, write_runner: Callable[[str], Path]) -> None:
        runner = write_runner("print('the disk is on fire', file=sys.stderr); sys.exit(9)")
        outcome, _ = run(local(bench, runner), bench)
        assert (outcome.status, outcome.code) == (JobStatus.CRASHED, "exit_9")
        assert "the disk is on fire" in outcome.problem

    def test_it_says_it_finished_and_did_not(self, bench: Bench, write_runner: Callable[[str], Path]) -> None:
        outcome, _ = run(local(bench, write_runner("sys.exit(0)")), bench)
        assert outcome.status is JobStatus.CRASHED

    @pytest.mark.parametrize(
        "body", ["time.sleep(600)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"]
    )
    def test_it_hangs(
        self,
        bench: Bench,
        write_runner: Callable[[str], Path],
        tmp_path: Path,
        body: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("harness.targets.local._GRACE_S", 0.3)
        outcome, _ = run(local(bench, write_runner(body), idle_limit_s=0.6), bench)
        assert (outcome.status, outcome.stage) == (JobStatus.TIMED_OUT, Stage.LOAD)
        assert outcome.next_step
        assert_gone(tmp_path)

    def test_it_is_slow_but_alive(self, bench: Bench, write_runner: Callable[[str], Path]) -> None:
        """Longer in all than the limit, never silent for so long."""
        runner = write_runner(
            """
            line = (folder / "events.jsonl").read_text().splitlines(keepends=True)[1]
            for _ in range(6):
                time.sleep(0.3)
                append([line])
            sys.exit(9)
            """
        )
        outcome, heard = run(local(bench, runner, idle_limit_s=1.0), bench)
        assert outcome.status is JobStatus.CRASHED
        assert len(heard) == 8

    def test_it_was_used_wrongly(self, bench: Bench, write_runner: Callable[[str], Path]) -> None:
        runner = write_runner("print('unknown option', file=sys.stderr); sys.exit(2)")
        with pytest.raises(TargetError, match="unknown option"):
            run(local(bench, runner), bench)

    def test_it_is_missing(self, bench: Bench, tmp_path: Path, tiny_models: Path) -> None:
        place_job(bench, tiny_models)
        with pytest.raises(TargetError) as caught:
            run(local(bench, tmp_path / "nowhere"), bench)
        assert caught.value.where == str(tmp_path / "nowhere") and caught.value.next_step

    def test_the_runtime_is_missing(self, bench: Bench, tmp_path: Path, tiny_models: Path) -> None:
        place_job(bench, tiny_models)
        target = LocalTarget(
            bench.executable, RuntimeLibrary(tmp_path / "libLiteRt.so", "2.3.0"), idle_limit_s=PATIENCE_S
        )
        outcome, _ = run(target, bench)
        assert (outcome.status, outcome.code) == (JobStatus.REFUSED, "runtime_missing")
        assert "doctor" in outcome.next_step

    def test_an_interrupt_ends_it(
        self, bench: Bench, write_runner: Callable[[str], Path], tmp_path: Path
    ) -> None:
        def interrupt(event: Event) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            local(bench, write_runner("time.sleep(600)")).run(bench.root, "job", interrupt)
        assert_gone(tmp_path)

    def test_an_interrupted_job_goes_on(self, bench: Bench, tiny_models: Path) -> None:
        """The real runner, ended in the middle of its samples."""
        place_job(bench, tiny_models, runs=50_000)

        def interrupt(event: Event) -> None:
            if isinstance(event, Samples) and event.phase is Stage.STEADY:
                raise KeyboardInterrupt

        target = local(bench, bench.executable)
        with pytest.raises(KeyboardInterrupt):
            target.run(bench.root, "job", interrupt)
        outcome, _ = run(target, bench)
        assert outcome.status is JobStatus.FINISHED
        assert len(steady_samples(bench.events())) == 50_000

    def test_the_runner_of_a_killed_harness_is_waited_for(self, bench: Bench, tiny_models: Path) -> None:
        place_job(bench, tiny_models, runs=50_000)
        with subprocess.Popen(bench.command(bench.folder())) as other:
            while not read_events(bench.folder() / "events.jsonl"):
                time.sleep(0.005)
            outcome, heard = run(local(bench, bench.executable), bench)
            assert other.wait() == 0
        assert outcome.status is JobStatus.FINISHED
        assert heard == []
        events = bench.events()
        assert len([event for event in events if isinstance(event, JobStarted)]) == 1
        assert len(steady_samples(events)) == 50_000

"""Faults on a virtual iPhone, in every phase, on each generation of iOS: the right result or the one right error.

The default run takes a part of the matrix; ``make faults`` takes all of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from job_bench import Bench, pixel_encoding, steady_samples
from shared_phones import LAUNCHING_IOS, QUICK_LIMITS

from harness.core.events import JobFinished, Samples
from harness.core.jobs import Blob, StopRule
from harness.core.runs import JobOutcome, JobStatus
from harness.errors import TargetError
from harness.pipeline.virtual_phone import VirtualPhoneTarget
from harness.targets.base import KeepsCopies, Unwatched
from harness.targets.iphone.deployment import AMPLE_BYTES
from harness.targets.iphone.messages import LaunchMode, Limits
from harness.targets.iphone.trouble import Trouble
from harness.targets.iphone.worker_process import PhoneFailedError
from harness.virtual_iphone.phone import Phone
from harness.wire.job_folder import read_job, write_job

WHOLE_MATRIX = bool(os.environ.get("HARNESS_WHOLE_FAULT_MATRIX"))
RUNS = 60_000
LONGEST_S = 60.0
"""No test asserts a time; a job that hangs must not hang the tests."""
LIMITS = QUICK_LIMITS.model_copy(
    update={"answer_s": 2.0, "reconnect_s": 3.0, "unlock_s": 1.5, "report_s": 3.0}
)
PHASES = ("push", "launch", "sample", "pull")
GONE_FOR_GOOD = (JobStatus.DISCONNECTED,)


@dataclass(frozen=True)
class Case:
    """``fault`` with ``{phase}`` filled in; how the job may end; whether a resume finishes it then."""

    fault: str
    ends: tuple[JobStatus, ...]
    code: str = ""
    is_resumed: bool = False
    phases: tuple[str, ...] = PHASES
    quick: tuple[tuple[str, str], ...] = ()
    """(iOS, phase) of the default run."""


CASES = [
    Case(
        "disconnect:at={phase},for-s=0.7", (JobStatus.FINISHED,), quick=(("16.7", "push"), ("18.5", "sample"))
    ),
    Case("disconnect:at={phase}", GONE_FOR_GOOD, is_resumed=True, quick=(("16.7", "sample"),)),
    Case("freeze:at={phase},for-s=0.7", (JobStatus.FINISHED,), quick=(("18.5", "launch"),)),
    Case("freeze:at={phase}", GONE_FOR_GOOD, is_resumed=True, quick=(("16.7", "push"),)),
    Case("disconnect:after-bytes=4000,for-s=0.5", (JobStatus.FINISHED,), phases=("push",)),
    Case(
        "app-crash:at={phase}",
        (JobStatus.CRASHED,),
        "sigsegv",
        quick=(("16.7", "sample"), ("26.1", "launch")),
    ),
    Case("app-crash:at={phase},signal=SIGABRT", (JobStatus.CRASHED,), "sigabrt", phases=("sample",)),
    Case("jetsam:at={phase}", (JobStatus.OUT_OF_MEMORY,), "jetsam", quick=(("18.5", "sample"),)),
    Case(
        "app-hang:at={phase},watchdog-s=0.5", (JobStatus.WATCHDOG,), "watchdog", quick=(("16.7", "launch"),)
    ),
    Case("app-hang:at={phase}", (JobStatus.TIMED_OUT,), "timed_out", phases=("launch", "sample")),
    Case("locked:for-s=0.7", (JobStatus.FINISHED,), phases=("push",), quick=(("16.7", "push"),)),
    Case(
        "locked", (JobStatus.LOCKED,), "locked", is_resumed=True, phases=("push",), quick=(("18.5", "push"),)
    ),
    Case("short-reads:at-most-bytes=700", (JobStatus.FINISHED,), phases=("pull",), quick=(("16.7", "pull"),)),
    Case("slow-link:latency-ms=5,mib-per-s=2", (JobStatus.FINISHED,), phases=("push",)),
    Case("idle-cut:after-s=0.3", (JobStatus.FINISHED,), phases=("sample",), quick=(("16.7", "sample"),)),
    Case("heat", (JobStatus.FINISHED,), phases=("sample",)),
    Case("low-battery", (JobStatus.FINISHED,), phases=("sample",)),
]


def _matrix() -> Iterator[object]:
    for case in CASES:
        for ios in LAUNCHING_IOS:
            for phase in case.phases:
                if WHOLE_MATRIX or (ios, phase) in case.quick:
                    fault = case.fault.format(phase=phase)
                    yield pytest.param(ios, fault, case, id=f"{ios}-{fault}-{phase}")


@pytest.fixture
def bench(tmp_path: Path, runner_executable: Path, runtime_library: Path) -> Bench:
    return Bench(tmp_path / "root", runner_executable, runtime_library)


@pytest.fixture(scope="module")
def phones() -> Iterator[Callable[[str], VirtualPhoneTarget]]:
    """One phone a generation: what a fault left behind must not hurt the next job."""
    open_phones: dict[str, VirtualPhoneTarget] = {}

    def phone(ios: str) -> VirtualPhoneTarget:
        if ios not in open_phones:
            open_phones[ios] = VirtualPhoneTarget(
                ios, 2, Unwatched(), runner=None, idle_limit_s=3.0, limits=LIMITS
            )
        return open_phones[ios]

    yield phone
    for target in open_phones.values():
        target.close()


def place(bench: Bench, tiny_models: Path) -> None:
    records = np.random.default_rng(4).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    bench.job(
        tiny_models / "image_float32.tflite",
        [("", records, pixel_encoding(records, 127.5, 127.5))],
        steady=StopRule(min_runs=RUNS, min_duration_ns=0),
    )


def run(target: VirtualPhoneTarget, bench: Bench) -> JobOutcome:
    started_s = time.monotonic()
    try:
        target.stage(bench.root, ["job"], lambda job_id: None)
        return target.run(bench.root, "job", lambda event: None)
    finally:
        assert time.monotonic() - started_s < LONGEST_S
        target.iphone.release()


def mend(phone: Phone) -> None:
    phone.faults.clear()
    phone.link.thaw()
    phone.link.put_back()


def assert_whole(bench: Bench) -> None:
    """Every sample there is counts once, and there are as many as the job asked for."""
    events = bench.events()
    last = events[-1]
    assert isinstance(last, JobFinished)
    assert last.steady_samples == len(steady_samples(events)) >= RUNS
    counts = np.bincount([index for index, _ in steady_samples(events)], minlength=5)
    assert counts.min() > 0
    lines = (bench.folder() / "events.jsonl").read_bytes().splitlines()
    # Latencies of thousands of samples: the same block twice would be the same line twice.
    blocks = [line for line in lines if b'"steady"' in line and b'"samples"' in line]
    assert len(set(blocks)) == len(blocks)


@pytest.mark.parametrize(("ios", "fault", "case"), list(_matrix()))
def test_a_fault_ends_in_the_right_result(
    ios: str,
    fault: str,
    case: Case,
    bench: Bench,
    tiny_models: Path,
    phones: Callable[[str], VirtualPhoneTarget],
) -> None:
    place(bench, tiny_models)
    target = phones(ios)
    target.stage(bench.root, ["job"], lambda job_id: None)
    target.phones.set_fault(fault)
    try:
        outcome = run(target, bench)
    finally:
        target.phones.call(mend)
    if outcome.status is JobStatus.FINISHED and fault.startswith(("app-", "jetsam")) and "at=pull" in fault:
        # The app had ended well before its files were first asked for: there was nothing left to hurt.
        assert_whole(bench)
        return
    assert outcome.status in case.ends, outcome
    if case.code:
        assert outcome.code == case.code
    known = bench.events()
    if outcome.status is JobStatus.FINISHED:
        assert_whole(bench)
        return
    assert outcome.problem and outcome.next_step and outcome.stage is not None
    if outcome.status is JobStatus.OUT_OF_MEMORY:
        assert outcome.footprint_bytes and outcome.limit_bytes
    if case.is_resumed:
        assert run(target, bench).status is JobStatus.FINISHED
        assert bench.events()[: len(known)] == known
        assert_whole(bench)


@pytest.mark.parametrize("ios", ["16.7", *(LAUNCHING_IOS[1:] if WHOLE_MATRIX else ())])
def test_a_full_disk_is_told_before_anything_is_sent(
    ios: str, bench: Bench, tiny_models: Path, phones: Callable[[str], VirtualPhoneTarget]
) -> None:
    place(bench, tiny_models)
    target = phones(ios)
    target.stage(bench.root, ["job"], lambda job_id: None)
    target.phones.set_fault("disk-full:free-bytes=1000")
    try:
        with pytest.raises(PhoneFailedError) as caught:
            run(target, bench)
    finally:
        target.phones.call(mend)
    assert caught.value.kind is Trouble.NO_ROOM
    assert run(target, bench).status is JobStatus.FINISHED


def fresh(ios: str, *faults: str, **limits: float) -> VirtualPhoneTarget:
    """A phone of its own: what goes wrong before the first job is cached by none."""
    return VirtualPhoneTarget(
        ios,
        3,
        Unwatched(),
        runner=None,
        idle_limit_s=3.0,
        limits=LIMITS.model_copy(update=limits),
        faults=faults,
    )


SETUP_FAULTS = [
    ("16.7", "no-developer-mode", Trouble.NOBODY_TAPPED),
    ("18.5", "no-image", Trouble.NOBODY_TAPPED),
    ("16.7", "untrusted-developer", Trouble.DEVELOPER_UNTRUSTED),
    ("18.5", "untrusted-developer", Trouble.DEVELOPER_UNTRUSTED),
    ("17.2", "heat", Trouble.UNSUPPORTED_IOS),
]


@pytest.mark.parametrize(
    ("ios", "fault", "kind"),
    SETUP_FAULTS if WHOLE_MATRIX else [SETUP_FAULTS[0], SETUP_FAULTS[2], SETUP_FAULTS[4]],
)
def test_a_phone_that_is_not_set_up(
    ios: str, fault: str, kind: Trouble, bench: Bench, tiny_models: Path
) -> None:
    place(bench, tiny_models)
    target = fresh(ios, fault, tap_s=0.5)
    try:
        with pytest.raises(TargetError) as caught:
            run(target, bench)
    finally:
        target.close()
    assert isinstance(caught.value, PhoneFailedError)
    assert caught.value.kind is kind
    assert caught.value.next_step == kind.advice


def test_a_phone_forgets_inputs_that_no_job_needs(bench: Bench, tiny_models: Path) -> None:
    """A workload of many shards need not fit the phone's disk; what is needed after all is sent again."""
    place(bench, tiny_models)
    job = read_job(bench.folder("job"))
    inputs = [one.blob for one in job.inputs]
    input_bytes = sum(blob.bytes for blob in inputs)
    for again in ("kept", "sent-again"):
        write_job(bench.root, job.model_copy(update={"job_id": again}))
    target = VirtualPhoneTarget("18.5", 6, Unwatched(), runner=None, idle_limit_s=20.0, limits=LIMITS)
    pushed = []
    try:
        assert isinstance(target, KeepsCopies)
        target.stage(bench.root, ["job"], lambda job_id: None)
        for job_id in ("job", "kept", "sent-again"):
            if job_id == "kept":
                # There is room: the next run of the suite need not send them again.
                target.forget(bench.root, inputs)
            if job_id == "sent-again":
                gone = [*inputs, Blob(sha256="f" * 64, bytes=9)]
                target.phones.set_fault(f"disk-full:free-bytes={AMPLE_BYTES - 1}")
                target.forget(bench.root, gone)
                target.phones.clear_faults()
            before = target.iphone.pushed_bytes
            outcome = target.run(bench.root, job_id, lambda event: None)
            assert outcome.status is JobStatus.FINISHED, outcome
            pushed.append(target.iphone.pushed_bytes - before)
    finally:
        target.close()
    assert pushed == [input_bytes + job.model.bytes, 0, input_bytes]


def test_a_person_taps_the_app(bench: Bench, tiny_models: Path) -> None:
    """Files, log and outputs go the same way; the app runs what it finds."""
    place(bench, tiny_models)
    target = VirtualPhoneTarget(
        "16.7",
        4,
        Unwatched(),
        runner=None,
        idle_limit_s=20.0,
        launch=LaunchMode.TAP,
        limits=Limits(tap_s=20.0),
    )

    async def tap(phone: Phone) -> None:
        await phone.processes.launch("org.harness.runner")

    class Taps(Unwatched):
        def waiting(self, target_name: str, text: str) -> None:
            if "tap" in text:
                target.phones.call(tap)

    try:
        target.watch(Taps())
        outcome = run(target, bench)
    finally:
        target.close()
    assert outcome.status is JobStatus.FINISHED, outcome
    assert_whole(bench)
    assert any(isinstance(event, Samples) for event in bench.events())

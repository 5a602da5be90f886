"""Profiles, accelerators and weight caches: each option of the runtime is known by what it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from job_bench import Bench, only, steady_samples, tensor_encoding

from harness.core.events import Delegation, JobFinished, JobStarted, Profile, Stage, StageFinished
from harness.core.jobs import Accelerator, Job, Loading, StopRule


@pytest.fixture
def bench(tmp_path: Path, runner_executable: Path, runtime_library: Path) -> Bench:
    return Bench(tmp_path, runner_executable, runtime_library)


def image_job(
    bench: Bench,
    model: Path,
    job_id: str = "job",
    loading: Loading = Loading.MAPPED,
    accelerator: Accelerator = Accelerator.NONE,
    profile: int = 0,
) -> Job:
    """Three int8 or float32 records, ten steady runs."""
    random = np.random.default_rng(3)
    records = random.uniform(-1, 1, (3, 1, 8, 8, 3)).astype(np.float32)
    return bench.job(
        model,
        [("", records, tensor_encoding(records))],
        loading=loading,
        accelerator=accelerator,
        profile=profile,
        steady=StopRule(min_runs=10, min_duration_ns=0),
        job_id=job_id,
    )


def test_a_profile_times_each_operation_and_adds_no_sample(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models / "image_int8.tflite", profile=7)
    assert bench.run().returncode == 0
    events = bench.events()
    (profile,) = only(events, Profile)
    assert profile.runs == 7 and profile.operations == 4
    # XNNPACK takes all but the softmax, which the runtime's own kernel runs.
    assert (profile.delegated_operations, profile.partitions) == (3, 1)
    names = [time.name for time in profile.times]
    assert names[0].startswith("Convolution") and names[-1] == "SOFTMAX"
    assert [time.delegated for time in profile.times] == [True] * (len(names) - 1) + [False]
    assert all(time.runs == 7 for time in profile.times)
    assert sum(time.total_ns for time in profile.times) <= profile.invocations_ns
    assert len(steady_samples(events)) == 10
    kinds = [event.event for event in events]
    assert kinds[-3:] == ["stage_finished", "profile", "job_finished"]


def test_without_the_setting_there_is_no_profile(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models / "image_int8.tflite")
    assert bench.run().returncode == 0
    assert not only(bench.events(), Profile) and not only(bench.events(), Delegation)


def test_an_accelerator_that_is_not_there_is_said_and_the_cpu_runs_the_job(
    bench: Bench, tiny_models: Path
) -> None:
    image_job(bench, tiny_models / "image_float32.tflite", accelerator=Accelerator.METAL)
    assert bench.run().returncode == 0
    events = bench.events()
    (delegation,) = only(events, Delegation)
    assert delegation.requested is Accelerator.METAL and not delegation.obtained
    assert "found no such accelerator" in str(delegation.reason)
    # XNNPACK, which takes all four operations of this model, was kept out of the count.
    assert (delegation.operations, delegation.delegated_operations, delegation.partitions) == (4, 0, 0)
    assert only(events, JobFinished)[0].steady_samples == 10


def test_extra_passes_are_not_taken_twice(bench: Bench, tiny_models: Path) -> None:
    image_job(bench, tiny_models / "image_float32.tflite", accelerator=Accelerator.METAL, profile=2)
    assert bench.run().returncode == 0
    log = bench.folder() / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert bench.run().returncode == 0
    events = bench.events()
    assert len(only(events, JobStarted)) == 2 and isinstance(events[-1], JobFinished)
    assert (len(only(events, Delegation)), len(only(events, Profile))) == (1, 1)


def compile_stage(bench: Bench, job_id: str) -> StageFinished:
    return next(stage for stage in only(bench.events(job_id), StageFinished) if stage.stage is Stage.COMPILE)


def test_a_weight_cache_is_built_once_and_then_mapped(bench: Bench, tiny_models: Path) -> None:
    plain = image_job(bench, tiny_models / "image_float32.tflite", "plain")
    first = image_job(bench, tiny_models / "image_float32.tflite", "first", Loading.WEIGHT_CACHE)
    second = image_job(bench, tiny_models / "image_float32.tflite", "second", Loading.WEIGHT_CACHE)
    for job in (plain, first, second):
        assert bench.run(job.job_id).returncode == 0
    assert [compile_stage(bench, name).weight_cache for name in ("plain", "first", "second")] == [
        None,
        "built",
        "used",
    ]
    (cache,) = (bench.root / "weight-caches").iterdir()
    assert cache.name == f"{first.model.sha256}.xnnpack" and cache.stat().st_size > 0
    outputs = [bench.outputs(job)[0].tobytes() for job in (plain, first, second)]
    assert outputs[0] == outputs[1] == outputs[2]


@pytest.mark.parametrize("damage", ["empty", "half", "garbage"])
def test_a_damaged_weight_cache_is_built_anew(bench: Bench, tiny_models: Path, damage: str) -> None:
    plain = image_job(bench, tiny_models / "image_float32.tflite", "plain")
    image_job(bench, tiny_models / "image_float32.tflite", "first", Loading.WEIGHT_CACHE)
    assert bench.run("plain").returncode == bench.run("first").returncode == 0
    (cache,) = (bench.root / "weight-caches").iterdir()
    whole = cache.read_bytes()
    cache.write_bytes(
        {"empty": b"", "half": whole[: len(whole) // 2], "garbage": b"\xa5" * len(whole)}[damage]
    )
    second = image_job(bench, tiny_models / "image_float32.tflite", "second", Loading.WEIGHT_CACHE)
    assert bench.run("second").returncode == 0
    assert compile_stage(bench, "second").weight_cache == "built"
    assert bench.outputs(second)[0].tobytes() == bench.outputs(plain)[0].tobytes()

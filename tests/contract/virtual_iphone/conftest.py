"""A running phone for one test, and clients that see it and nothing of this machine's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from job_bench import Bench, tensor_encoding

from harness.core.jobs import StopRule
from harness.pipeline.installed_programs import installed_programs
from harness.pytest_virtual_iphone import StartVirtualIphones
from harness.virtual_iphone.background import BackgroundPhones
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID, write_runner_ipa
from harness.wire.job_folder import job_folder

StartPhones = Callable[..., BackgroundPhones]


@pytest.fixture(scope="session")
def programs() -> Programs:
    return installed_programs()


@pytest.fixture(scope="session")
def runner_ipa(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Path:
    return write_runner_ipa(tmp_path_factory.mktemp("ipa") / "runner.ipa", programs.runtime_version)


@pytest.fixture
def put_job(tiny_models: Path, programs: Programs) -> Callable[..., Path]:
    """Writes a job of the tiny image model into the runner's inbox on a phone; returns the job's folder there."""

    def put(phone: Phone, job_id: str = "job", min_runs: int = 40) -> Path:
        app = phone.apps.find(RUNNER_BUNDLE_ID)
        assert app is not None
        bench = Bench(app.container / "Documents" / "inbox", programs.runner, programs.runtime_library)
        records = np.random.default_rng(3).uniform(-1, 1, (3, 1, 8, 8, 3)).astype(np.float32)
        model, tensor = tiny_models / "image_float32.tflite", ("", records, tensor_encoding(records))
        bench.job(model, [tensor], steady=StopRule(min_runs=min_runs, min_duration_ns=0), job_id=job_id)
        return job_folder(bench.root, job_id)

    return put


@pytest.fixture
def start_phones(virtual_iphones: StartVirtualIphones) -> StartVirtualIphones:
    return virtual_iphones


@pytest.fixture
def phone_with_runner(virtual_iphones: StartVirtualIphones) -> StartPhones:
    """Starts phones that have the runner app already."""
    return functools.partial(virtual_iphones, install_runner=True)

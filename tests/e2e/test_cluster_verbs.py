"""What is done with a run after it was measured in a lab: explained, rescued, confirmed; and the lab looked at."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from desk import TINY, Desk, assert_explained, end
from desk import Answer as Called

from fixtures.lab import Lab, opened_lab, wait_until
from harness import __version__
from harness.cluster.certificates import make_certificates
from harness.core.changes import ComparedFigure
from harness.core.comparison import Comparison
from harness.core.explanation import Explanation, Factor
from harness.core.variants import Variant
from harness.store import RunFolder

PHONE, CORES = 0, 1
INPUTS = 1010
"""More than 1000: so many are computed by cores of the lab."""
PADDING_BYTES = 24_000_000
VARIANTS = """
[variants]
recipes = ["float32"]
[variants.named.int8]
recipe = "int8"
accelerator = "metal"
[variants.named.heap]
recipe = "float32"
loading = "heap"
"""
POLICY = '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 90\n'


CALIBRATED = 'task = "tensors"\ninputs = "inputs.npy"\n[workload.calibration]\ninputs = "calibration.npy"\n'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A phone at one desk, two cores at the other one; both machines are targets themselves."""
    with opened_lab(tmp_path_factory.mktemp("lab"), ("16.7", ""), start=False) as lab:
        lab.start_worker(PHONE, "--cores", "0")
        lab.start_worker(CORES, "--cores", "2")
        await_all(lab)
        yield lab


def await_all(lab: Lab) -> None:
    wait_until(lambda: len(lab.devices()) == 3, "the phone and both machines")


def harness(desk: Desk, lab: Lab, *arguments: str | Path) -> Called:
    """In a process of its own: who speaks to a cluster swears never to unpickle anything again."""
    process = desk.start(*arguments, "--certificates", lab.certificates)
    try:
        out, err = process.communicate(timeout=240)
    finally:
        end(process)
    return Called(process.returncode, out, err)


def was_computed_there(lab: Lab, model: str) -> bool:
    """Whether the machine with cores was sent the model with this SHA-256: jobs go to the other one."""
    folder = lab.benches[CORES].folder / "cache" / "worker" / "blobs"
    return any(model in path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def measured(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, built_variants: Path
) -> tuple[Path, RunFolder]:
    """A run on the lab's phone, in a folder of its own."""
    folder = tmp_path_factory.mktemp("measured")
    rng = np.random.default_rng(0)
    np.save(folder / "inputs.npy", rng.uniform(-1, 1, (INPUTS, 8, 8, 3)).astype(np.float32))
    np.save(folder / "calibration.npy", rng.uniform(-0.1, 0.1, (16, 8, 8, 3)).astype(np.float32))
    model = (TINY / "image_float32.tflite").read_bytes() + rng.bytes(PADDING_BYTES)
    (folder / "model.tflite").write_bytes(model)
    (folder / "suite.toml").write_text(
        'version = 1\nname = "lab"\n[model]\npath = "model.tflite"\n'
        '[workload]\ntask = "tensors"\ninputs = "inputs.npy"\n'
        '[workload.calibration]\ninputs = "calibration.npy"\n'
        + VARIANTS
        + "[run]\nrounds = 6\nwarmup = {min_runs = 1}\nsteady = {min_runs = 60}\n"
        + POLICY
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "run", "suite.toml", *lab.options, "--target", "iphone"),
            *("--cache", built_variants, "--runs", "reports"),
        ],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in (0, 3), (done.stdout, done.stderr)
    (run,) = (folder / "reports").iterdir()
    return folder, RunFolder.open(run)


def test_explain_goes_back_to_the_phone_and_computes_on_the_labs_cores(
    desk: Desk, lab: Lab, measured: tuple[Path, RunFolder]
) -> None:
    _, run = measured
    assert run.plan().cluster == lab.address and run.plan().target.startswith("iphone:")
    int8 = run.variant("int8")
    assert isinstance(int8, Variant) and not was_computed_there(lab, int8.model.sha256)
    called = harness(desk, lab, "explain", run.path, "int8", "--on-device", "--json")
    assert called.status == 0, called
    found = Explanation.model_validate_json(called.out)
    assert [link.factor for link in found.links] == [
        Factor.CONVERSION,
        Factor.QUANTIZATION,
        Factor.RUNNER,
        Factor.DEVICE,
    ]
    assert [link.factor for link in found.beside] == [Factor.KERNELS, Factor.ACCELERATOR]
    assert found.not_crossed == ()
    assert found.disagreements > 0
    assert was_computed_there(lab, int8.model.sha256)


def test_a_rescued_variant_is_run_on_the_same_device(desk: Desk, lab: Lab) -> None:
    desk.tensors(count=INPUTS)
    # Ranges of almost nothing: what int8 clips by them, labels are lost to.
    calibration = np.random.default_rng(1).uniform(-0.008, 0.008, (16, 8, 8, 3))
    np.save(desk.folder / "calibration.npy", calibration.astype(np.float32))
    suite = desk.suite(recipes=("float32", "int8"), rounds=1, workload=CALIBRATED, policy=POLICY)
    called = harness(desk, lab, "run", suite, "--cluster", lab.address, "--target", "local:desk1")
    assert called.status == 0, called
    plan = desk.newest().plan()
    policy = desk.write("strict.toml", '[policy]\n[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.3\n')
    called = harness(desk, lab, "rescue", plan.run_id, "int8", "--policy", policy, "--budget", "3")
    assert "in float" in called.out and called.status == 1, called
    again = desk.newest().plan()
    assert again.run_id != plan.run_id
    assert (again.cluster, again.target) == (lab.address, "local:desk1")
    assert desk.report().verdict.releasable == ("float32", "int8-rescued")


def test_a_difference_is_confirmed_on_the_same_phone(
    desk: Desk, lab: Lab, measured: tuple[Path, RunFolder]
) -> None:
    _, run = measured
    sides = (f"{run.path}:float32", f"{run.path}:heap")
    called = harness(desk, lab, "compare", *sides, "--confirm", "--json")
    assert called.status == 0, called
    (variant,) = Comparison.model_validate_json(called.out).variants
    (peak,) = [change for change in variant.changes if change.figure is ComparedFigure.PEAK_MEMORY]
    assert peak.confirmed is True


def test_a_calibration_for_build_alone(desk: Desk, lab: Lab) -> None:
    desk.tensors(count=1)
    desk.tensors("calibration.npy", count=INPUTS, seed=1)
    suite = desk.suite(
        recipes=("int8",),
        workload=CALIBRATED,
    )
    called = harness(desk, lab, "build", suite, "--cluster", lab.address, "--cache", "empty")
    assert called.status == 0, called
    assert was_computed_there(lab, hashlib.sha256((TINY / "image_float32.tflite").read_bytes()).hexdigest())


def test_the_suites_own_target_and_what_a_lab_has_not(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    at_lab = ("--cluster", lab.address)
    by_query = desk.suite(recipes=("float32",), policy="", run='target = "local where host=desk1"\n')
    assert harness(desk, lab, "run", by_query, *at_lab).status == 3
    replayed = desk.newest()
    assert replayed.plan().target == "local:desk1"
    plain = desk.suite(recipes=("float32",), policy="")
    assert_explained(
        harness(desk, lab, "run", plain, *at_lab), 4, "the cluster has 2 of them: local:desk0, local:desk1"
    )
    assert_explained(harness(desk, lab, "run", plain, *at_lab, "--target", "virtual"), 2, "this machine's")
    # Recorded events need no scheduler.
    nobody = ("--cluster", "tls://127.0.0.1:1")
    called = harness(desk, lab, "run", plain, *nobody, "--target", f"replay:{replayed.path}")
    assert called.status == 3, called
    assert desk.newest().plan().cluster == ""


def test_a_stored_run_stays_where_it_was_made_whatever_the_environment_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.tensors()
    assert desk.harness("run", desk.suite(recipes=("float32",), policy="")).status == 3
    monkeypatch.setenv("HARNESS_CLUSTER", "tls://127.0.0.1:1")
    assert desk.harness("explain", desk.newest().path, "float32").status == 0


TESTS = """
import pickle
from pathlib import PurePosixPath
from harness.pytest_plugin import assert_releasable

def test_release(harness_run):
    assert_releasable(harness_run)

def test_what_has_nothing_to_do_with_it():
    assert pickle.loads(pickle.dumps(PurePosixPath("a"))) == PurePosixPath("a")
"""


def test_release_gates_on_a_lab(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    suite = desk.suite(recipes=("float32",), policy=POLICY)
    tests = desk.write("test_gate.py", TESTS)

    def tested(target: str) -> tuple[int, str]:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", tests, "-p", "no:cacheprovider", "--harness-suite", suite),
                *("--harness-cluster", lab.address, "--harness-certificates", lab.certificates),
                *("--harness-target", target, "--harness-runs", desk.runs),
            ],
            cwd=desk.folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done.returncode, done.stdout

    status, out = tested("iphone")
    assert status == 0 and "2 passed" in out, out
    assert f"on iphone of the cluster at {lab.address}" in out
    assert desk.newest().plan().cluster == lab.address
    status, out = tested("iphone where ios>=30")
    assert status == 1 and "iOS is below 30" in out and "next: Change the query" in out, out


def steps(called: Called) -> dict[str, tuple[bool, str, str]]:
    return {one["name"]: (one["is_well"], one["found"], one["next_step"]) for one in json.loads(called.out)}


def test_doctor_looks_at_every_link_of_a_lab(desk: Desk, lab: Lab) -> None:
    called = harness(desk, lab, "doctor", "--cluster", lab.address, "--json")
    found = steps(called)
    assert called.status == 0 and all(is_well for is_well, _, _ in found.values()), called
    assert list(found)[:4] == ["certificates", "network", "encryption", "scheduler"]
    assert found["encryption"][1] == "TLSv1.3"
    assert f"harness {__version__}, " in found["worker desk0"][1]
    assert "1 phone, 0 cores, itself as a target" in found["worker desk0"][1]
    assert "0 phones, 2 cores, itself as a target" in found["worker desk1"][1]
    assert "iOS 16.7) at desk0: --target iphone:" in found["phone"][1]
    assert found["cores"][1] == "2 like this machine's"


def test_doctor_ends_with_the_link_that_is_broken(desk: Desk, lab: Lab) -> None:
    make_certificates(desk.folder / "others", "stranger", now=datetime.now(UTC))

    def last(*arguments: str) -> tuple[str, bool, str, str]:
        process = desk.start("doctor", "--json", *arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 4, (out, err)
        name, told = list(steps(Called(4, out, err)).items())[-1]
        return (name, *told)

    def with_certificates(folder: Path) -> tuple[str, ...]:
        return ("--certificates", str(folder))

    at_lab = ("--cluster", lab.address)
    name, is_well, told, then = last(*at_lab, *with_certificates(desk.folder / "none"))
    assert (name, is_well) == ("certificates", False) and "harness certificates make" in then, told
    name, is_well, told, then = last("--cluster", "tls://127.0.0.1:1", *with_certificates(lab.certificates))
    assert (name, is_well) == ("network", False) and "nothing listens" in told and "harness scheduler" in then
    name, is_well, told, then = last(*at_lab, *with_certificates(desk.folder / "others"))
    assert (name, is_well) == ("encryption", False) and "not of this lab's authority" in told, then
    name, is_well, told, then = last("--cluster", lab.address.replace("tls:", "tcp:"))
    assert (name, is_well) == ("scheduler", False) and "It may speak TLS" in then, told


def test_a_worker_of_another_release_is_told_and_not_asked(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    lab.kill_worker(CORES)
    lab.start_worker(CORES, "--cores", "2", release="0.0.9")
    try:
        await_all(lab)
        called = harness(desk, lab, "doctor", "--cluster", lab.address, "--json")
        found = steps(called)
        assert called.status == 4, called
        is_well, told, then = found["worker desk1"]
        assert not is_well and told.startswith("harness 0.0.9, ") and __version__ in told
        assert then.startswith("Install the same release")
        assert found["worker desk0"][0] and not found["cores"][0]
        called = harness(desk, lab, "run", desk.suite(), "--cluster", lab.address, "--target", "local:desk1")
        assert_explained(called, 4, "its worker has harness 0.0.9, this is", __version__)
        assert list(desk.runs.glob("*")) == []
    finally:
        lab.kill_worker(CORES)
        lab.start_worker(CORES, "--cores", "2")
        await_all(lab)

"""References and calibrations by workers that die: the same bits as by one process."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, end

from fixtures.lab import Lab, opened_lab
from harness.core.variants import Variant
from harness.store import RunFolder

INPUTS = 12_000
SAMPLES = 1_100
WORKERS = 3


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Workers without phones: one core each, and the machine of the first is the target."""
    with opened_lab(tmp_path_factory.mktemp("lab"), ("",) * WORKERS, start=False) as lab:
        start(lab, 0)
        for index in range(1, WORKERS):
            start(lab, index)
        yield lab


def start(lab: Lab, index: int) -> None:
    lab.start_worker(index, "--cores", "1", "--no-phones", *([] if index == 0 else ["--no-machine"]))


@pytest.fixture
def suite(desk: Desk) -> Path:
    for name, count in (("inputs.npy", INPUTS), ("samples.npy", SAMPLES)):
        values = np.random.default_rng(count).uniform(-1, 1, (count, 8, 8, 3)).astype(np.float32)
        np.save(desk.folder / name, values, allow_pickle=False)
    workload = 'task = "tensors"\ninputs = "inputs.npy"\n[workload.calibration]\ninputs = "samples.npy"\n'
    return desk.suite(workload=workload, recipes=("float32", "int8"), rounds=1, min_runs=1, policy="")


def bits(folder: RunFolder) -> tuple[str, dict[str, str]]:
    """The hashes of the reference's outputs and of the variants."""
    built = [folder.variant(name) for name in ("float32", "int8")]
    return folder.reference().outputs.sha256, {
        one.name: one.model.sha256 for one in built if isinstance(one, Variant)
    }


def finished(process: subprocess.Popen[str]) -> str:
    try:
        out, err = process.communicate(timeout=240)
    finally:
        end(process)
    assert process.returncode == 3, (out, err)
    return out


def test_the_bits_are_those_of_one_process(desk: Desk, lab: Lab, suite: Path) -> None:
    """``WORTH_A_POOL_INPUTS`` beyond any workload: one process and no cluster."""
    alone = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys, harness.shards.pool as pool; pool.WORTH_A_POOL_INPUTS = 10**9; "
            "from harness.cli.main import run_cli; sys.exit(run_cli(sys.argv[1:]))",
            *("run", str(suite), "--cache", str(desk.folder / "alone")),
        ],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.returncode == 3, (alone.stdout, alone.stderr)
    expected = bits(desk.newest())
    process = desk.start("run", suite, *lab.options, "--target", "local", "--cache", desk.folder / "shared")
    chance = random.Random(3)
    try:
        for victim in (1, 2):
            time.sleep(chance.uniform(2.0, 3.5))
            lab.kill_worker(victim)
            start(lab, victim)
    except BaseException:
        end(process)
        raise
    finished(process)
    assert desk.newest().plan().cluster == lab.address
    assert bits(desk.newest()) == expected
    # By this machine's own cores, as a cluster of its own.
    finished(desk.start("run", suite, "--cache", desk.folder / "own"))
    assert bits(desk.newest()) == expected
    assert len(expected[1]) == 2


def test_what_a_model_does_wrong_is_told_as_by_one_process(desk: Desk, lab: Lab, suite: Path) -> None:
    values = np.load(desk.folder / "inputs.npy")
    values[INPUTS // 2] = np.nan
    np.save(desk.folder / "inputs.npy", values, allow_pickle=False)
    for options in ([], lab.options):
        process = desk.start("run", suite, *options, "--cache", desk.folder / "shared")
        try:
            out, err = process.communicate(timeout=240)
        finally:
            end(process)
        assert process.returncode == 2, (out, err)
        assert "NaN" in err and "Traceback" not in err, err

"""The pytest plugin on runs that the real runner made."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.fft
import pytest
import scipy.special  # noqa: F401
from desk import TINY, Desk

from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.new_run import new_run
from harness.pipeline.progress import Silent
from harness.pipeline.run_devices import run_on_device
from harness.store import RunFolder

# The imports above without a use: pytester forgets what a test imports, and numpy cannot be imported twice.
pytest_plugins = ["pytester"]

TESTS = """
from harness.pytest_plugin import assert_releasable

def test_release(harness_run):
    assert_releasable(harness_run)

def test_one_variant(harness_run):
    assert_releasable(harness_run, "float16")

def test_size(harness_run):
    assert harness_run.variant("float16").variant.file_bytes < 100_000
"""
AGREES = '[policy]\n[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.5\n'
TOO_LARGE = '[policy]\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.000001\n'
# 12 inputs that agree leave up to 26 % open.
UNDECIDED = '[policy]\n[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.99\n'


@pytest.fixture
def tests(desk: Desk, pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(TESTS)
    return pytester


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, built_variants: Path) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("stored")
    np.save(folder / "inputs.npy", np.random.default_rng(0).uniform(-1, 1, (12, 8, 8, 3)).astype(np.float32))
    (folder / "suite.toml").write_text(
        f'version = 1\nname = "tiny"\n[model]\npath = "{TINY / "image_float32.tflite"}"\n'
        '[workload]\ntask = "tensors"\ninputs = "inputs.npy"\n[variants]\nrecipes = ["float32", "float16"]\n'
        f"[run]\nrounds = 2\nwarmup = {{min_runs = 1}}\nsteady = {{min_runs = 16}}\n{AGREES}"
    )
    settings = TargetSettings(cache=built_variants)
    with ExitStack() as held:
        new = new_run(folder / "suite.toml", folder / "runs", settings, held)
        assert isinstance(new.folder, RunFolder)
        run_on_device(new.folder, settings, Silent(), None, new.targets[0])
    return new.folder.path


def test_a_suite_is_run_once_for_all_tests(desk: Desk, tests: pytest.Pytester) -> None:
    desk.tensors()
    result = tests.runpytest_inprocess("--harness-suite", str(desk.suite()), "--harness-runs", str(desk.runs))
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["harness: suite *suite.toml on * (local)"])
    assert len(list(desk.runs.iterdir())) == 1
    assert desk.report().verdict.answer == "pass"


def test_a_failure_reads_like_the_report(desk: Desk, tests: pytest.Pytester, stored: Path) -> None:
    policy = desk.write("small.toml", TOO_LARGE)
    result = tests.runpytest_inprocess("--harness-run", str(stored), "--harness-policy", str(policy))
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            f"harness: stored run {stored}",
            "FAIL: float32 has file size *the limit is at most 1 bytes.*",
            "*float16*file size*",
            f"harness report {stored}",
        ]
    )
    assert "Traceback" not in result.stdout.str() and "pytest_plugin.py" not in result.stdout.str()


@pytest.mark.parametrize(
    ("choice", "outcomes"),
    [
        ((), {"passed": 1, "failed": 2}),
        (("--harness-undecided", "fail"), {"passed": 1, "failed": 2}),
        (("--harness-undecided", "xfail"), {"passed": 1, "xfailed": 2}),
        (("--harness-undecided", "pass"), {"passed": 3}),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) and value else "",
)
def test_undecided_is_what_was_chosen(
    desk: Desk, tests: pytest.Pytester, stored: Path, choice: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    policy = desk.write("strict.toml", UNDECIDED)
    result = tests.runpytest_inprocess(
        "--harness-run", str(stored), "--harness-policy", str(policy), "-rx", *choice
    )
    result.assert_outcomes(**outcomes)
    if "xfailed" in outcomes:
        result.stdout.fnmatch_lines(
            ["XFAIL *undecided: * has top1 agreement 100 %*more inputs would decide it*"]
        )


def test_options_stand_in_the_configuration(desk: Desk, tests: pytest.Pytester, stored: Path) -> None:
    """Paths start from the configuration's folder, wherever pytest is called."""
    (tests.path / "strict.toml").write_text(UNDECIDED)
    tests.makeini(
        f"[pytest]\nharness_run = {stored}\nharness_policy = strict.toml\nharness_undecided = xfail\n"
    )
    (tests.path / "elsewhere").mkdir()
    result = tests.runpytest_inprocess(str(tests.path), "--rootdir", str(tests.path))
    result.assert_outcomes(passed=1, xfailed=2)


def test_without_a_suite_tests_skip_with_the_reason(desk: Desk, tests: pytest.Pytester) -> None:
    result = tests.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["*no suite: give --harness-suite FILE, or --harness-run RUN*"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--harness-suite", "gone.toml"), "*gone.toml: cannot be read*"),
        (("--harness-run", "gone"), "*gone: is not a run folder*"),
        (("--harness-suite", "broken.toml"), "*broken.toml:1: *"),
    ],
    ids=["suite", "run", "broken"],
)
def test_what_cannot_be_run_says_what_to_do(
    desk: Desk, tests: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    (tests.path / "broken.toml").write_text("version = ")
    result = tests.runpytest_inprocess(*arguments)
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines([message, "next: *"])
    assert "Traceback" not in result.stdout.str()


def test_a_wrong_choice_is_told_before_anything_runs(desk: Desk, tests: pytest.Pytester) -> None:
    result = tests.runpytest_inprocess("--harness-undecided", "maybe")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--harness-undecided is one of fail, xfail, pass, not 'maybe'*"])


def test_a_variant_that_was_not_measured_fails_its_test(desk: Desk, tests: pytest.Pytester) -> None:
    # The model takes integers: no calibration, so int8 cannot be built.
    desk.tensors()
    suite = desk.suite(recipes=("float32", "int8"), policy=AGREES)
    assert desk.harness("run", suite, "--runs", desk.runs).status in (0, 1, 3)
    tests.makepyfile(
        "def test_int8(harness_run):\n    harness_run.variant('int8')\n"
        "def test_other(harness_run):\n    harness_run.variant('other')\n"
    )
    result = tests.runpytest_inprocess("--harness-run", str(desk.newest().path))
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*int8 not-built: *→*", "*there is no variant other in run *float32, int8*"])


def test_the_plugin_is_found_by_pytest_itself(desk: Desk, tests: pytest.Pytester) -> None:
    """In a process of its own, as a user calls it."""
    desk.tensors()
    suite = desk.suite(model=TINY / "image_float32.tflite", policy=TOO_LARGE)
    result = tests.runpytest_subprocess("--harness-suite", str(suite), "--harness-runs", str(desk.runs), "-q")
    result.assert_outcomes(passed=1, failed=2)

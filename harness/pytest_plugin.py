"""Release gates as pytest tests: the ``harness_run`` fixture and ``assert_releasable``.

Nothing of the harness is imported before a test asks for a run, so that other tests start as quickly as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from harness.core.measurements import Measurement
    from harness.core.report import RunReport
    from harness.core.verdict import Answer
    from harness.errors import HarnessError
    from harness.pipeline.choose_target import TargetSettings

__all__ = ["HarnessRun", "assert_releasable"]

Undecided = Literal["fail", "xfail", "pass"]
_UNDECIDED: dict[str, Undecided] = {"fail": "fail", "xfail": "xfail", "pass": "pass"}
_WIDTH = 100
_ABOUT_SENDING = ("Sent ", "✗ The run was not sent", "  It is kept")
_SENT = pytest.StashKey[StringIO]()


@dataclass(frozen=True)
class HarnessRun:
    """A run of a suite, measured and judged. ``undecided`` is what an undecided verdict means to the tests."""

    path: Path
    report: RunReport
    undecided: Undecided = "fail"

    def variant(self, name: str) -> Measurement:
        """The measurement of ``name``.

        Fails the test, with the reason, where it was not measured.
        """
        for result in self.report.results:
            if result.outcome == "measured":
                if result.variant.name == name:
                    return result
            elif result.name == name:
                pytest.fail(f"{name} {result.outcome}: {result.problem} → {result.next_step}", pytrace=False)
        there = ", ".join(
            result.variant.name if result.outcome == "measured" else result.name
            for result in self.report.results
        )
        pytest.fail(f"there is no variant {name} in run {self.path.name}; it has {there}", pytrace=False)


def assert_releasable(run: HarnessRun, *variants: str, undecided: Undecided | None = None) -> None:
    """That the policy lets ``variants`` be released; none named: that its verdict on the candidates is a pass.

    A fail fails the test with the verdict as the report shows it. ``undecided`` says what becomes of an undecided
    answer: ``fail``, ``xfail`` with the reason, or ``pass``; without it, what ``--harness-undecided`` says.
    """
    from harness.core.verdict import Answer

    __tracebackhide__ = True
    answer, reason = _answer(run.report, variants)
    if answer is Answer.PASS:
        return
    shown = f"{answer.upper()}: {reason}\n\n{_verdict_text(run.report)}\n\nharness report {run.path}"
    choice = undecided or run.undecided
    if answer is Answer.FAIL or choice == "fail":
        pytest.fail(shown, pytrace=False)
    if choice == "xfail":
        pytest.xfail(f"undecided: {reason}")


def _answer(report: RunReport, variants: tuple[str, ...]) -> tuple[Answer, str]:
    """Of the verdict, or of the rules of ``variants`` alone: the worst of them."""
    from harness.core.verdict import Answer

    if not variants:
        verdict = report.verdict
        if verdict.answer is Answer.PASS and not report.is_complete:
            return Answer.UNDECIDED, f"{report.jobs_done} of {report.jobs_planned} jobs are done."
        return verdict.answer, verdict.reason
    undecided: list[str] = []
    for name in variants:
        judged = [result for result in report.verdict.results if result.variant == name]
        failed = next((result for result in judged if result.answer is Answer.FAIL), None)
        if failed is not None:
            return Answer.FAIL, failed.reason
        undecided += [result.reason for result in judged if result.answer is Answer.UNDECIDED]
        if not judged:
            undecided.append(f"No rule holds for {name} in this run.")
    if undecided:
        more = f" {len(undecided) - 1} more like it." if len(undecided) > 1 else ""
        return Answer.UNDECIDED, undecided[0] + more
    return Answer.PASS, ""


def _verdict_text(report: RunReport) -> str:
    import io

    from rich.console import Console

    from harness.render.terminal import terminal_verdict

    console = Console(file=io.StringIO(), width=_WIDTH, record=True, color_system=None)
    console.print(terminal_verdict(report))
    return console.export_text().rstrip()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every option can stand in pytest's configuration too, with underscores."""
    group = parser.getgroup("harness", "release gates for models")
    for name, metavar, what in (
        ("suite", "FILE", "the suite that the harness_run fixture runs"),
        ("target", "TARGET", "where to run, instead of the suite's target"),
        ("policy", "FILE", "judge by this file's [policy], not by the suite's"),
        ("run", "RUN", "take this stored run instead of making one"),
        ("runs", "FOLDER", "where run folders are kept (reports/)"),
        ("cluster", "ADDRESS", "run on the phones of the cluster whose scheduler is there (HARNESS_CLUSTER)"),
        ("certificates", "FOLDER", "where the cluster's certificates are"),
        ("undecided", "|".join(_UNDECIDED), "what an undecided verdict does to a test (fail)"),
    ):
        group.addoption(f"--harness-{name}", metavar=metavar, help=what)
        parser.addini(f"harness_{name}", what)


def _option(config: pytest.Config, name: str) -> str | None:
    """What the command line says, else the configuration; paths in the latter start from its folder."""
    given = config.getoption(f"--harness-{name}")
    if given is not None:
        return str(given)
    configured = str(config.getini(f"harness_{name}"))
    if configured and name in ("suite", "policy", "runs", "certificates"):
        return str((config.inipath.parent if config.inipath else config.rootpath) / configured)
    return configured or None


def _undecided(config: pytest.Config) -> Undecided:
    choice = _option(config, "undecided") or "fail"
    if choice not in _UNDECIDED:
        raise pytest.UsageError(f"--harness-undecided is one of {', '.join(_UNDECIDED)}, not {choice!r}")
    return _UNDECIDED[choice]


def pytest_configure(config: pytest.Config) -> None:
    """A wrong choice is told before anything runs for minutes."""
    _undecided(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What will be run on which device; nothing where no suite or run is named."""
    stored, suite = _option(config, "run"), _option(config, "suite")
    if stored is not None:
        return [f"harness: stored run {stored}"]
    if suite is None:
        return []
    cluster = _cluster(config)
    if cluster is not None:
        target = _option(config, "target") or "the suite's target"
        return [f"harness: suite {suite} on {target} of the cluster at {cluster}"]
    return [f"harness: suite {suite} on {_device(config, Path(suite))}"]


def _cluster(config: pytest.Config) -> str | None:
    """The address of the scheduler whose devices are meant."""
    import os

    return _option(config, "cluster") or os.environ.get("HARNESS_CLUSTER") or None


def _device(config: pytest.Config, suite_path: Path) -> str:
    """The target in words. Whatever keeps it from being used fails the tests later, with its own message."""
    from harness.errors import HarnessError

    try:
        from harness.pipeline.choose_target import absolute_target, choose_target, devices_of
        from harness.suite.read import read_suite

        suite, _ = read_suite(suite_path)
        given = _option(config, "target")
        name = (
            absolute_target(given, Path()) if given else absolute_target(suite.run.target, suite_path.parent)
        )
        described = []
        for device in devices_of(name):
            target = choose_target(device, _settings())
            try:
                described.append(target.description)
            finally:
                target.close()
        return f"{', '.join(described)} ({name})"
    except HarnessError as error:
        return f"a target that cannot be used: {error.problem}"


def _settings() -> TargetSettings:
    from harness.cli.places import cache_folder, runner_override
    from harness.pipeline.choose_target import TargetSettings

    return TargetSettings(cache=cache_folder(), runner=runner_override())


@pytest.fixture(scope="session")
def harness_run(request: pytest.FixtureRequest) -> Iterator[HarnessRun]:
    """The run of ``--harness-suite``, made once for all tests, or the stored one that ``--harness-run`` names.

    Skips where neither is given; errors, with the next step, where it cannot be made.
    """
    from harness.errors import HarnessError

    config = request.config
    if _option(config, "run") is None and _option(config, "suite") is None:
        pytest.skip("no suite: give --harness-suite FILE, or --harness-run RUN")
    try:
        path, report = _made(config)
    except HarnessError as error:
        where = f"{error.where}: " if error.where else ""
        pytest.fail(f"{where}{error.problem}\nnext: {error.next_step}", pytrace=False)
    yield HarnessRun(path, report, _undecided(config))


def _made(config: pytest.Config) -> tuple[Path, RunReport]:
    from contextlib import ExitStack

    from rich.console import Console

    from harness.cli.named_runs import local_run
    from harness.cli.places import runs_folder
    from harness.cli.push import sent_when_done
    from harness.pipeline.evaluate import evaluate
    from harness.pipeline.new_run import new_run
    from harness.pipeline.progress import Silent
    from harness.pipeline.run_devices import run_on_device
    from harness.store import GroupFolder, find_run
    from harness.store.need import Need
    from harness.suite.read import read_policy

    runs_given, policy = _option(config, "runs"), _option(config, "policy")
    runs = runs_folder(Path(runs_given) if runs_given else None)
    judging = (read_policy(Path(policy)), Path(policy).parent) if policy else None
    stored = _option(config, "run")
    if stored is not None:
        folder = find_run(local_run(stored, runs, Need.REPORT), runs)
        return folder.path, evaluate(folder, *(judging or ()))
    suite = Path(_option(config, "suite") or "")
    cluster = _cluster(config)
    if cluster is not None:
        return _made_on_cluster(config, cluster, suite, runs)
    settings = _settings()
    with ExitStack() as held:
        new = new_run(suite, runs, settings, held, target=_option(config, "target"), judging=judging)
        if isinstance(new.folder, GroupFolder):
            for target in new.targets:
                target.close()
            new.folder.discard()
            raise _several()
        # Its words would be lost among what pytest captures: they come at the end.
        said = StringIO()
        config.stash[_SENT] = said
        with sent_when_done(None, Console(file=said, width=200)) as sending:
            sending.folder = new.folder.path
            report = run_on_device(new.folder, new.settings, Silent(), judging, new.targets[0])
    return new.folder.path, report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _SENT in config.stash and (said := config.stash[_SENT].getvalue()):
        terminalreporter.write(f"harness: {said}")


def _made_on_cluster(config: pytest.Config, cluster: str, suite: Path, runs: Path) -> tuple[Path, RunReport]:
    """In a process of its own: who speaks to a cluster gives up unpickling, and other tests may need it."""
    import subprocess

    from pydantic import ValidationError

    from harness.core.report import RunReport
    from harness.errors import TargetError
    from harness.python_worker import worker_command, worker_environment

    options = {name: _option(config, name) for name in ("target", "policy", "certificates")}
    given = [text for name, value in options.items() if value for text in (f"--{name}", value)]
    command = worker_command("harness", "run", suite, "--cluster", cluster, "--runs", runs, "--json", *given)
    done = subprocess.run(
        command, env=worker_environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    said = done.stderr.decode("utf-8", "replace").splitlines()
    config.stash[_SENT] = StringIO("".join(f"{line}\n" for line in said if line.startswith(_ABOUT_SENDING)))
    if not done.stdout.strip():
        problem, next_step = (
            next((line.removeprefix(start).strip() for line in reversed(said) if line.startswith(start)), "")
            for start in ("error:", "next:")
        )
        raise TargetError(
            problem or f"harness run ended with status {done.returncode}",
            next_step=next_step or "Run it by hand: harness run SUITE --cluster ADDRESS.",
        )
    try:
        report = RunReport.model_validate_json(done.stdout)
    except ValidationError:
        # A group's report has a report for each device.
        raise _several() from None
    return runs / report.plan.run_id, report


def _several() -> HarnessError:
    from harness.errors import UsageError

    return UsageError(
        "these are several devices, and a test is about one",
        where="--harness-target",
        next_step="Name one: --harness-target iphone:UDID.",
    )

"""Live progress of a run on the terminal; plain lines where there is no terminal (a CI log, a pipe)."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from harness.core.events import Event, Samples, Stage
from harness.core.runs import JobOutcome, JobStatus, ScheduledJob, SkippedInput
from harness.core.workload import Workload
from harness.render.plain_text import one_line

_DONE = "[green]✓[/]"
_FAILED = "[red]✗[/]"


class _AmountColumn(ProgressColumn):
    """``3/10``, or bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._count = MofNCompleteColumn()
        self._bytes = DownloadColumn()

    def render(self, task: Task) -> Text:
        return (self._bytes if task.fields.get("in_bytes") else self._count).render(task)


class LiveProgress:
    """Implements ``harness.pipeline.progress.Progress``; a context manager that owns the live display."""

    def __init__(self, console: Console, *, of: LiveProgress | None = None, label: str = "") -> None:
        """``of``: shows its lines there, each after ``label``; one of several devices that work at once."""
        self._console = console
        self._label = f"{escape(label)}: " if label else ""
        self._live: Progress = (
            of._live
            if of is not None
            else Progress(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                _AmountColumn(),
                TextColumn("{task.fields[note]}", style="dim"),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )
        self._tasks: dict[str, TaskID] = {}
        self._job_runs: dict[str, int] = {}

    def of_device(self, label: str) -> LiveProgress:
        """The progress of one of several devices; calls for different devices may come from different threads."""
        return LiveProgress(self._console, of=self, label=label)

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def workload_progress(self, done: int, total: int) -> None:
        self._update("inputs", "Reading inputs", done, total)

    def workload_ready(self, workload: Workload, skipped: Sequence[SkippedInput]) -> None:
        originals = len({entry.group for entry in workload.inputs})
        of = f" from {originals} originals" if originals != len(workload.inputs) else ""
        self._say("inputs", f"{_DONE} {len(workload.inputs)} inputs{of}")
        for entry in skipped:
            self._console.print(f"  [yellow]left out[/] {escape(entry.file)}: {escape(entry.reason)}")

    def reference_state(self, state: str, done: int = 0, total: int = 0) -> None:
        if state in ("cached", "done"):
            self._say("reference", f"{_DONE} reference outputs{' (cached)' if state == 'cached' else ''}")
        else:
            self._update("reference", "Computing the reference", done, total or None)

    def variant_state(self, name: str, state: str, seconds: float) -> None:
        if state == "done":
            self._say(name, f"{_DONE} {escape(name)} [dim]built in {seconds:.1f} s[/]")
        elif state == "cached":
            self._say(name, f"{_DONE} {escape(name)} [dim]cached[/]")
        elif state == "failed":
            self._say(name, f"{_FAILED} {escape(name)} [dim]not built[/]")
        elif state == "converting":
            self._update(name, f"Building {name}", 0, None)

    def measuring_started(
        self, target: str, jobs: Sequence[ScheduledJob], done: Sequence[JobOutcome]
    ) -> None:
        resumed = f", {len(done)} done before" if done else ""
        rounds = len({job.round_index for job in jobs})
        self._console.print(
            f"{self._label}Measuring on {_shown(target)}: {len(jobs)} jobs in {rounds} rounds{resumed}"
        )
        self._update("jobs", "Measuring", len(done), len(jobs))

    def round_added(self, jobs: Sequence[ScheduledJob], still_open: Sequence[str]) -> None:
        rules = f"{len(still_open)} rule{'s' if len(still_open) != 1 else ''} open"
        self._console.print(
            f"  [dim]round {jobs[0].round_index + 1}: {rules}: {escape(', '.join(still_open))}[/]"
        )
        if "jobs" in self._tasks:
            task = self._tasks["jobs"]
            total = self._live.tasks[self._live.task_ids.index(task)].total or 0
            self._live.update(task, total=total + len(jobs))

    def job_started(self, job: ScheduledJob) -> None:
        self._job_runs[job.job_id] = 0
        self._note("jobs", f"round {job.round_index + 1}: {job.variant}")

    def job_event(self, job: ScheduledJob, event: Event) -> None:
        if isinstance(event, Samples) and event.phase is Stage.STEADY:
            self._job_runs[job.job_id] += len(event.inputs)
            self._note(
                "jobs", f"round {job.round_index + 1}: {job.variant}, {self._job_runs[job.job_id]} runs"
            )

    def job_ended(self, job: ScheduledJob, outcome: JobOutcome) -> None:
        if "jobs" in self._tasks:
            self._live.advance(self._tasks["jobs"])
        if outcome.status not in (JobStatus.FINISHED, JobStatus.SKIPPED):
            self._console.print(f"{_FAILED} {self._label}{escape(job.variant)}: {_shown(outcome.problem)}")

    def transferring(self, target: str, done_bytes: int, total_bytes: int) -> None:
        if done_bytes < total_bytes:
            self._update("push", f"Pushing to {_shown(target)}", done_bytes, total_bytes, in_bytes=True)
        elif "push" in self._tasks:
            self._live.remove_task(self._tasks.pop("push"))

    def waiting(self, target: str, text: str) -> None:
        if text:
            self._console.print(f"[yellow]waiting[/] {_shown(target)}: {_shown(text)}")

    def _update(
        self, key: str, description: str, done: int, total: int | None, *, in_bytes: bool = False
    ) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._live.add_task(
                f"{self._label}{description}", total=total, note="", in_bytes=in_bytes
            )
        self._live.update(self._tasks[key], completed=done, total=total)

    def _note(self, key: str, note: str) -> None:
        if key in self._tasks:
            self._live.update(self._tasks[key], note=note)

    def _say(self, key: str, line: str) -> None:
        if key in self._tasks:
            self._live.remove_task(self._tasks.pop(key))
        self._console.print(line)


def _shown(text: str) -> str:
    """What a device or another machine said, on one line and as text alone."""
    return escape(one_line(text))

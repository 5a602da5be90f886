"""What the pipeline tells a person while it works. The command line shows it; ``Silent`` does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.core.events import Event
from harness.core.runs import JobOutcome, ScheduledJob, SkippedInput
from harness.core.workload import Workload


class Progress(Protocol):
    """Called from the pipeline's own thread, apart from ``variant_state``, which any thread may call."""

    def workload_progress(self, done: int, total: int) -> None: ...

    def workload_ready(self, workload: Workload, skipped: Sequence[SkippedInput]) -> None: ...

    def reference_state(self, state: str, done: int = 0, total: int = 0) -> None: ...

    def variant_state(self, name: str, state: str, seconds: float) -> None: ...

    def measuring_started(
        self, target: str, jobs: Sequence[ScheduledJob], done: Sequence[JobOutcome]
    ) -> None: ...

    def job_started(self, job: ScheduledJob) -> None: ...

    def job_event(self, job: ScheduledJob, event: Event) -> None: ...

    def job_ended(self, job: ScheduledJob, outcome: JobOutcome) -> None: ...


class Silent:
    """Says nothing."""

    def workload_progress(self, done: int, total: int) -> None: ...

    def workload_ready(self, workload: Workload, skipped: Sequence[SkippedInput]) -> None: ...

    def reference_state(self, state: str, done: int = 0, total: int = 0) -> None: ...

    def variant_state(self, name: str, state: str, seconds: float) -> None: ...

    def measuring_started(
        self, target: str, jobs: Sequence[ScheduledJob], done: Sequence[JobOutcome]
    ) -> None: ...

    def job_started(self, job: ScheduledJob) -> None: ...

    def job_event(self, job: ScheduledJob, event: Event) -> None: ...

    def job_ended(self, job: ScheduledJob, outcome: JobOutcome) -> None: ...

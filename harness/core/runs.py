"""A run: one whole comparison, as the values that its folder holds.

``harness.store`` reads and writes the folder; docs/architecture.md draws it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.core.events import Stage
from harness.core.jobs import Count, JobId, PositiveCount, RunSettings, Sha256
from harness.core.value import Value
from harness.core.variants import VariantName

RUN_VERSION = 1
LONGEST_RELEASE = 60


class SourceRecord(Value):
    """The source model as it was when the run was planned."""

    path: str
    format: str
    sha256: Sha256
    bytes: PositiveCount


class Host(Value):
    """The machine that planned the run and computed the reference."""

    system: str
    machine: str
    cpu: str
    logical_cores: PositiveCount
    python: str
    packages: dict[str, str]


class SamplingBudget(Value):
    """What a run that is sampled until decided may spend; besides, every input once."""

    max_rounds: PositiveCount
    max_duration_ns: PositiveCount
    """Of all jobs together, as the host saw them."""
    inputs_per_round: PositiveCount | None = None
    """Absent: so that they last for four times ``Plan.rounds``."""


class SamplingEnd(Value):
    """When and why such a run stopped. ``is_decided``: every rule had its answer."""

    rounds: Count
    spent_ns: Count
    is_decided: bool
    reason: str


class Plan(Value):
    """What a run is going to do; written first, never changed."""

    run_version: Literal[1] = 1
    run_id: JobId
    created_unix_ns: Count
    harness_version: str
    suite_name: str
    suite_path: str
    suite_toml: str
    """The suite file, word for word, so that a run can be repeated and resumed without it."""
    host: Host
    source: SourceRecord
    target: str
    rounds: PositiveCount
    seed: int
    settings: RunSettings
    until_decided: SamplingBudget | None = None
    """Sampling goes on round after round until every rule is decided; none: ``rounds`` and no more."""
    release: Annotated[str, Field(max_length=LONGEST_RELEASE)] = ""
    """What the team calls the state it measures: an app version, a tag, a commit. ``harness history`` shows it."""
    cluster: str = ""
    """The address of the scheduler whose cluster has the target; empty: it is this machine's."""


class ScheduledJob(Value):
    """One entry of the schedule: rounds in order, the variants of a round in a seeded random order."""

    job_id: JobId
    variant: VariantName
    round_index: Count
    first_input: Count
    input_count: PositiveCount


class JobStatus(StrEnum):
    """How a job ended, as the host saw it."""

    FINISHED = "finished"
    REFUSED = "refused"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"
    OUT_OF_MEMORY = "out-of-memory"
    WATCHDOG = "watchdog"
    DISCONNECTED = "disconnected"
    LOCKED = "locked"
    SKIPPED = "skipped"

    @property
    def is_interrupted(self) -> bool:
        """Whether the device was in the way, not the variant: ``harness run --resume`` tries such a job again."""
        return self in (JobStatus.DISCONNECTED, JobStatus.LOCKED)


class JobOutcome(Value):
    """How a job ended. The runner's own words are in its event log; this is what the host adds.

    ``refused``: the runner said why in a ``job_failed`` event; ``crashed``: it died of a signal or an
    unknown exit status; ``timed-out``: it wrote nothing for the limit and was ended; ``out-of-memory``: the system
    ended it for memory, or an allocation failed; ``watchdog``: the phone's watchdog ended it;
    ``disconnected``, ``locked``: the phone went away or locked its screen and did not come back within the limit;
    ``skipped``: an earlier job of the same variant failed.
    """

    job_id: JobId
    status: JobStatus
    stage: Stage | None = None
    code: str
    problem: str = ""
    next_step: str = ""
    wall_ns: Annotated[int, Field(ge=0)] = 0
    footprint_bytes: Count | None = None
    """What the process used when the system ended it for memory, by the system's own report."""
    limit_bytes: Count | None = None
    interruptions: tuple[str, ...] = ()
    """What came in between and was overcome: the job went on from its last record."""


class SetAside(Value):
    """Why the run went on without the device: it failed so often in a row. ``harness run --resume`` tries it again."""

    failures: PositiveCount
    problem: str
    """Of the last failure."""
    next_step: str


class SkippedInput(Value):
    """An input that could not be read and was left out, with the reason; ``count`` of them in one file of texts."""

    file: str
    reason: str
    count: PositiveCount = 1

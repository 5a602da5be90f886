"""What the harness and a phone's worker say to each other: one JSON object a line, each side reads strictly."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.core.jobs import Blob, Count, JobId
from harness.core.value import Value
from harness.targets.iphone.trouble import Trouble


class LaunchMode(StrEnum):
    """``auto`` launches the app where that is possible and asks for a tap where it is not."""

    AUTO = "auto"
    TAP = "tap"


class Limits(Value):
    """How long the worker waits for what, in seconds."""

    answer_s: float = 20.0
    """One answer of the phone; a transfer of up to 4 MiB included."""
    idle_s: float = 120.0
    """Between two records of the event log."""
    tap_s: float = 300.0
    reconnect_s: float = 60.0
    unlock_s: float = 120.0
    trust_s: float = 60.0
    report_s: float = 5.0
    """For a crash report to appear after the app died."""


class AppInfo(Value):
    """The runner as it is installed."""

    bundle_id: str
    version: str
    wire_version: int | None = None
    runtime_version: str | None = None
    executable: str = ""
    """The name of its process, as crash reports give it."""


class Attached(Value):
    """A phone that usbmuxd lists, by every way it is attached."""

    udid: str
    connections: tuple[str, ...]


class PhoneState(Value):
    """What a phone says of itself. A field is absent where it could not be asked, ``trouble`` says why."""

    udid: str
    connection: str
    name: str | None = None
    product: str | None = None
    ios: str | None = None
    is_virtual: bool = False
    is_trusted: bool = False
    is_locked: bool | None = None
    developer_mode: bool | None = None
    image_mounted: bool | None = None
    runner: AppInfo | None = None
    battery_level: float | None = None
    is_charging: bool | None = None
    battery_celsius: float | None = None
    low_power_mode: bool | None = None
    thermal_state: str | None = None
    has_started: bool | None = None
    """Whether the runner started when it was tried; absent: it was not tried."""
    trouble: Trouble | None = None
    problem: str = ""


class ListPhones(Value):
    op: Literal["list"] = "list"


class Inspect(Value):
    op: Literal["inspect"] = "inspect"
    udid: str
    trust_s: float = 0.0
    """How long to wait for the Trust dialog; 0: do not ask."""


class InspectAll(Value):
    """The attached phones, all or those of ``udids``, side by side."""

    op: Literal["inspect_all"] = "inspect_all"
    udids: tuple[str, ...] | None = None
    trust_s: float = 0.0


class Probe(Value):
    """Launch the runner on a job that it must refuse, to learn whether it starts and what it says of the phone."""

    op: Literal["probe"] = "probe"
    udid: str
    limits: Limits = Limits()


class Install(Value):
    op: Literal["install"] = "install"
    udid: str
    package: str
    limits: Limits = Limits()


class RunJob(Value):
    """Bring the job in ``root`` to its end on the phone; ``token`` names this job of this run, on the phone too.

    ``staged`` are the jobs that are on the phone beside it, for a person's one tap.
    """

    op: Literal["run_job"] = "run_job"
    udid: str
    root: str
    job_id: JobId
    token: str
    launch: LaunchMode = LaunchMode.AUTO
    limits: Limits = Limits()


class StageJobs(Value):
    """Put several jobs on the phone ahead, for one tap."""

    op: Literal["stage_jobs"] = "stage_jobs"
    udid: str
    root: str
    jobs: tuple[JobId, ...]
    token: str
    launch: LaunchMode = LaunchMode.AUTO
    limits: Limits = Limits()


class PlaceLive(Value):
    """Put a live variant with its blobs on the phone."""

    op: Literal["place_live"] = "place_live"
    udid: str
    root: str
    blobs: tuple[Blob, ...]
    name: str
    document: str
    limits: Limits = Limits()


class DropBlobs(Value):
    """Remove blobs that no further job of the run needs."""

    op: Literal["drop_blobs"] = "drop_blobs"
    udid: str
    blobs: tuple[Blob, ...]
    limits: Limits = Limits()


Request = Annotated[
    ListPhones | Inspect | InspectAll | Probe | Install | RunJob | StageJobs | PlaceLive | DropBlobs,
    Field(discriminator="op"),
]


class Transferred(Value):
    note: Literal["transferred"] = "transferred"
    what: str
    done: Count
    total: Count
    """Bytes; of an installation, percent."""


class Waiting(Value):
    """The worker waits for a person; an empty ``text`` ends it."""

    note: Literal["waiting"] = "waiting"
    text: str


class LogGrew(Value):
    """Complete records were appended to the job's local event log."""

    note: Literal["log_grew"] = "log_grew"
    size_bytes: Count


class Phones(Value):
    note: Literal["phones"] = "phones"
    phones: tuple[Attached, ...]


class Inspected(Value):
    note: Literal["inspected"] = "inspected"
    state: PhoneState


class AllInspected(Value):
    note: Literal["all_inspected"] = "all_inspected"
    states: tuple[PhoneState, ...]


class Installed(Value):
    note: Literal["installed"] = "installed"
    app: AppInfo


class Pushed(Value):
    """``bytes`` of blobs went to the phone, ``bytes_there`` were there already; ``sent_bytes`` counts all files."""

    note: Literal["pushed"] = "pushed"
    bytes: Count
    bytes_there: Count
    sent_bytes: Count = 0
    needs_tap: bool = False
    """Whether a person has to tap the app: it cannot be launched."""


class Dropped(Value):
    """``bytes`` of the phone's disk are free again."""

    note: Literal["dropped"] = "dropped"
    bytes: Count


class Report(Value):
    """A crash or JetsamEvent report, as it lies on the phone."""

    name: str
    text: str


class Evidence(Value):
    """How the job's process ended, as far as the phone told."""

    note: Literal["evidence"] = "evidence"
    exit_status: int | None = None
    signal: int | None = None
    is_gone: bool = False
    was_silent: bool = False
    """It wrote nothing for the limit and was ended."""
    trouble: Trouble | None = None
    """Why the job was given up with the process possibly alive: locked, lost, silent."""
    problem: str = ""
    damaged_log: str = ""
    """Why the phone's event log cannot be read on."""
    interruptions: tuple[str, ...] = ()
    """What came in between and was overcome: the cable pulled and plugged in again, the screen locked."""
    reports: tuple[Report, ...] = ()
    process_name: str = ""
    pid: int | None = None
    pushed_bytes: Count = 0
    sent_bytes: Count = 0
    bytes_there: Count = 0


class Failed(Value):
    note: Literal["failed"] = "failed"
    kind: Trouble
    problem: str


Note = Annotated[
    Transferred
    | Waiting
    | LogGrew
    | Phones
    | Inspected
    | AllInspected
    | Installed
    | Pushed
    | Dropped
    | Evidence
    | Failed,
    Field(discriminator="note"),
]
FINAL = (Phones, Inspected, AllInspected, Installed, Pushed, Dropped, Evidence, Failed)

REQUEST_ADAPTER: TypeAdapter[Request] = TypeAdapter(Request)
NOTE_ADAPTER: TypeAdapter[Note] = TypeAdapter(Note)

LARGEST_LINE_BYTES = 16 * 1024 * 1024

"""What the runner writes while it works: one JSON object a line, append only.

docs/wire-format.md describes the log; ``harness.wire`` reads it. A figure that was not measured is
absent from its record, never zero.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from harness.core.jobs import Accelerator, Count, DType, DurationNs, JobId, PositiveCount, Sha256
from harness.core.value import Value

Bytes = Annotated[int, Field(ge=0)]


class TargetClass(StrEnum):
    """Where figures come from; a verdict refuses desktop or virtual evidence for a phone's rule."""

    LOCAL = "local"
    VIRTUAL = "virtual"
    IPHONE = "iphone"


class Stage(StrEnum):
    """The stages of a job, in order. ``start`` is before the model is touched."""

    START = "start"
    LOAD = "load"
    COMPILE = "compile"
    FIRST_RUN = "first_run"
    WARMUP = "warmup"
    STEADY = "steady"


class Memory(Value):
    """Memory of the runner's process at one moment. Linux fills the first group, Darwin the second."""

    resident_bytes: Bytes | None = None
    peak_resident_bytes: Bytes | None = None
    anonymous_bytes: Bytes | None = None
    file_backed_bytes: Bytes | None = None

    footprint_bytes: Bytes | None = None
    peak_footprint_bytes: Bytes | None = None
    dirty_bytes: Bytes | None = None
    compressed_bytes: Bytes | None = None
    limit_remaining_bytes: Bytes | None = None


class Conditions(Value):
    """What surrounded a block of samples, as far as the platform tells."""

    thermal_state: Literal["nominal", "fair", "serious", "critical"] | None = None
    low_power_mode: bool | None = None
    battery_level: Annotated[float, Field(ge=0, le=1)] | None = None
    load_average_1m: Annotated[float, Field(ge=0)] | None = None
    other_cpu_fraction: (
        Annotated[
            float,
            Field(ge=0, le=1, description="share of all cores' time used by other processes in the block"),
        ]
        | None
    ) = None
    cpu_frequency_hz: Count | None = None
    suspended_ns: (
        Annotated[int, Field(ge=0, description="that the machine slept since the attempt started")] | None
    ) = None


class Runner(Value):
    """The program that wrote the log."""

    version: str
    platform: str
    build: str


class Runtime(Value):
    """The inference runtime that the runner loaded."""

    name: str
    version: str
    library: str
    library_bytes: Bytes | None = None


class Device(Value):
    """Where the runner ran."""

    target_class: TargetClass
    model: str
    os: str
    os_version: str
    cpu: str
    logical_cores: PositiveCount
    performance_cores: PositiveCount | None = None
    memory_bytes: Bytes | None = None


class Quantization(Value):
    """Per-tensor affine quantization: real = scale * (q - zero_point)."""

    scale: Annotated[float, Field(gt=0)]
    zero_point: int


class TensorInfo(Value):
    """An input or output tensor as the runtime describes it."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    quantization: Quantization | None = None

    @property
    def size_bytes(self) -> int:
        size = self.dtype.itemsize_bytes
        for dimension in self.shape:
            size *= dimension
        return size


class JobStarted(Value):
    """First event of an attempt. A resumed job appends a new one with a higher ``attempt``."""

    event: Literal["job_started"] = "job_started"
    t_ns: DurationNs
    wire_version: Literal[1] = 1
    job_id: JobId
    attempt: PositiveCount
    unix_ns: Count
    runner: Runner
    runtime: Runtime
    device: Device
    threads: PositiveCount
    quality_of_service: Annotated[str, Field(description="of the measuring thread, on Darwin")] | None = None


class ModelDescribed(Value):
    """What the model takes and gives, after compilation."""

    event: Literal["model_described"] = "model_described"
    t_ns: DurationNs
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    output_record_bytes: PositiveCount


class StageFinished(Value):
    """A stage ended: its duration and the memory after it.

    ``duration_ns`` is absent for ``start``. For ``warmup`` and ``steady`` it is wall time, the
    copying of inputs and outputs included; latencies stand in ``samples``.
    """

    event: Literal["stage_finished"] = "stage_finished"
    t_ns: DurationNs
    stage: Stage
    duration_ns: DurationNs | None = None
    memory: Memory
    conditions: Conditions | None = None
    weight_cache: Annotated[
        Literal["built", "used"] | None, Field(description="of the stage compile, with that loading")
    ] = None


class Samples(Value):
    """A block of invocations: for each the input (index in the shard) and the time of the invocation."""

    event: Literal["samples"] = "samples"
    t_ns: DurationNs
    phase: Literal[Stage.WARMUP, Stage.STEADY]
    inputs: tuple[Count, ...]
    latency_ns: tuple[Annotated[int, Field(ge=1)], ...]
    repeat_mismatches: Annotated[
        Count | None,
        Field(description="steady phase: samples whose output differed from the input's first one"),
    ] = None
    conditions: Conditions | None = None

    @model_validator(mode="after")
    def _one_latency_for_each_input(self) -> Samples:
        if len(self.inputs) != len(self.latency_ns) or not self.inputs:
            raise ValueError("inputs and latency_ns must be equally long and not empty")
        return self


class Interrupted(Value):
    """The app left or came back to the foreground, or was asked to free memory, while the job ran."""

    event: Literal["interrupted"] = "interrupted"
    t_ns: DurationNs
    kind: Literal["inactive", "active", "background", "foreground", "memory_warning"]
    unix_ns: Annotated[int, Field(ge=0, description="when it was noticed, by the wall clock")]


class Delegation(Value):
    """What became of a job's request for an accelerator.

    ``obtained``: the runtime had it and it took operations. ``operations`` are the graph's,
    ``delegated_operations`` those that the accelerator took, in so many ``partitions``.
    """

    event: Literal["delegation"] = "delegation"
    t_ns: DurationNs
    requested: Accelerator
    obtained: bool
    reason: Annotated[str, Field(description="why it was not obtained")] | None = None
    operations: Count
    delegated_operations: Count
    partitions: Count


class OperationTime(Value):
    """One operation as it ran: of the graph, or of a delegate, which may have fused several into it."""

    name: str
    delegated: bool
    runs: PositiveCount
    total_ns: DurationNs


class Profile(Value):
    """The extra pass that timed each operation; none of its runs is among the samples.

    ``times`` are in the order the operations run; the runtime counts whole microseconds.
    """

    event: Literal["profile"] = "profile"
    t_ns: DurationNs
    runs: PositiveCount
    invocations_ns: Annotated[int, Field(ge=1, description="of all runs, the profiler's own time included")]
    operations: Count
    delegated_operations: Annotated[int, Field(ge=0, description="of the graph, taken by any delegate")]
    partitions: Count
    times: tuple[OperationTime, ...]


class Keystrokes(Value):
    """The extra pass that typed texts: for each character, in their order, how long its suggestions took.

    From the text so far to the numbers of the five best classes: encoding, copying, invocation, choosing.
    """

    event: Literal["keystrokes"] = "keystrokes"
    t_ns: DurationNs
    texts: PositiveCount
    latency_ns: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class JobFailed(Value):
    """The runner could not go on; the last event of its attempt."""

    event: Literal["job_failed"] = "job_failed"
    t_ns: DurationNs
    stage: Stage
    code: str
    message: str


class JobFinished(Value):
    """The job is complete. Counts run over all attempts.

    ``repeat_mismatches`` counts steady runs whose output bytes differed from the first output of
    the same input: a deterministic model has none.
    """

    event: Literal["job_finished"] = "job_finished"
    t_ns: DurationNs
    steady_samples: PositiveCount
    output_records: PositiveCount
    outputs_bytes: PositiveCount
    outputs_sha256: Sha256
    repeat_mismatches: Count


Event = Annotated[
    JobStarted
    | ModelDescribed
    | StageFinished
    | Samples
    | Interrupted
    | Delegation
    | Profile
    | Keystrokes
    | JobFailed
    | JobFinished,
    Field(discriminator="event"),
]

EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)

"""A job: one variant, one shard of the workload and the run settings, as a value.

The wire form is ``job.json`` in a job folder; docs/wire-format.md describes it and
``harness.wire`` reads and writes it. The C++ core reads the same file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.core.text_encoding import PADDING, UNKNOWN, Alphabet, TextEncoding, TextLength
from harness.core.value import Value

WIRE_VERSION = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
JobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Dimension = Annotated[int, Field(ge=1, le=2**31 - 1)]
Count = Annotated[int, Field(ge=0)]
PositiveCount = Annotated[int, Field(ge=1)]
DurationNs = Annotated[int, Field(ge=0)]


class DType(StrEnum):
    """Element types that cross the wire, little-endian."""

    FLOAT32 = "float32"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"

    @property
    def itemsize_bytes(self) -> int:
        return _ITEMSIZE_BYTES[self]


_ITEMSIZE_BYTES = {
    DType.FLOAT32: 4,
    DType.INT8: 1,
    DType.UINT8: 1,
    DType.INT16: 2,
    DType.INT32: 4,
    DType.INT64: 8,
    DType.BOOL: 1,
}


class Blob(Value):
    """Bytes named by their content: ``<root>/blobs/<sha256>``."""

    sha256: Sha256
    bytes: Count


class PixelEncoding(Value):
    """uint8 pixels, row-major height x width x channels; the core normalizes them.

    real = (pixel - mean[c]) / scale[c] in float32; a quantized input tensor then gets
    round-half-away-from-zero(real / tensor_scale) + tensor_zero_point, clamped to its type.
    """

    kind: Literal["pixels"] = "pixels"
    shape: Annotated[tuple[Dimension, Dimension, Dimension], Field(description="height, width, channels")]
    mean: tuple[float, ...]
    scale: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _one_mean_and_scale_per_channel(self) -> PixelEncoding:
        channels = self.shape[2]
        if len(self.mean) != channels or len(self.scale) != channels:
            raise ValueError(f"mean and scale need one number for each of the {channels} channels")
        return self

    @property
    def record_bytes(self) -> int:
        height, width, channels = self.shape
        return height * width * channels


class TensorEncoding(Value):
    """Elements as the model's input tensor takes them: copied, never converted.

    A float32 record for an int8, uint8 or int16 input tensor is the one exception: it is
    quantized with the tensor's own scale and zero point, as for pixels.
    """

    kind: Literal["tensor"] = "tensor"
    dtype: DType
    shape: Annotated[tuple[Dimension, ...], Field(description="of one record, batch axis included")]

    @property
    def record_bytes(self) -> int:
        size = self.dtype.itemsize_bytes
        for dimension in self.shape:
            size *= dimension
        return size


class CharacterEncoding(Value):
    """Characters as numbers, by the rule of ``harness.core.text_encoding``: int32, encoded on the host.

    The rule is carried so that the phone encodes what is typed by the same one. The elements are copied; for an
    int64 or float32 input tensor each number is converted, which is exact.
    """

    kind: Literal["characters"] = "characters"
    dtype: Literal["int32"] = "int32"
    shape: Annotated[
        tuple[Literal[1], TextLength], Field(description="batch axis of 1, characters of a text")
    ]
    alphabet: Alphabet
    lowercase: bool
    unknown: Annotated[int, Field(ge=UNKNOWN, le=UNKNOWN)] = UNKNOWN
    padding: Annotated[int, Field(ge=PADDING, le=PADDING)] = PADDING

    @classmethod
    def of(cls, rule: TextEncoding) -> CharacterEncoding:
        """The encoding of texts that ``rule`` encodes."""
        return cls(shape=(1, rule.length), alphabet=rule.alphabet, lowercase=rule.lowercase)

    @property
    def rule(self) -> TextEncoding:
        return TextEncoding(alphabet=self.alphabet, lowercase=self.lowercase, length=self.shape[1])

    @property
    def record_bytes(self) -> int:
        return self.shape[1] * DType.INT32.itemsize_bytes


Encoding = Annotated[PixelEncoding | TensorEncoding | CharacterEncoding, Field(discriminator="kind")]


class JobInput(Value):
    """The records of one input tensor: ``count`` records of equal size, one after another."""

    tensor: Annotated[
        str, Field(description="the input tensor's name in the signature; empty: by position")
    ] = ""
    blob: Blob
    encoding: Encoding


class StopRule(Value):
    """When a phase may end: at least ``min_runs`` runs and at least ``min_duration_ns``.

    ``max_duration_ns`` ends it early (0: no limit), yet never before every input of the shard ran
    once in the steady phase.
    """

    min_runs: Count
    min_duration_ns: DurationNs
    max_duration_ns: DurationNs = 0


class Loading(StrEnum):
    """How the model file gets into memory."""

    MAPPED = "mapped"
    HEAP = "heap"
    WEIGHT_CACHE = "weight-cache"
    """Mapped, and XNNPACK's packed weights mapped from a file that the first process writes."""


class Accelerator(StrEnum):
    """What a job asks to run its operations on besides the CPU. What really ran stands in the log."""

    NONE = "none"
    METAL = "metal"


MOST_PROFILE_RUNS = 1000


class RunSettings(Value):
    """How the runner runs a job."""

    threads: Annotated[int, Field(ge=1, le=64)]
    loading: Loading = Loading.MAPPED
    accelerator: Accelerator = Accelerator.NONE
    profile: Annotated[
        int,
        Field(ge=0, le=MOST_PROFILE_RUNS, description="runs of an extra pass that times each operation"),
    ] = 0
    warmup: StopRule
    steady: StopRule


MOST_KEYSTROKES = 10_000


class KeystrokePass(Value):
    """An extra pass after the timed one that types texts key by key, as a keyboard's user does.

    One sample for each character that reaches the model: from the text so far to the five best classes.
    """

    texts: Annotated[Blob, Field(description="a JSON array of strings")]
    pause_ns: Annotated[int, Field(ge=0, le=10_000_000_000, description="before each keystroke")] = 0


class Job(Value):
    """One variant, one shard, the settings. ``job.json``."""

    wire_version: Literal[1] = 1
    job_id: JobId
    variant: Annotated[str, Field(min_length=1, max_length=100)]
    model: Blob
    inputs: Annotated[tuple[JobInput, ...], Field(min_length=1)]
    first_input: Annotated[Count, Field(description="index in the workload of the shard's first record")]
    input_count: PositiveCount
    settings: RunSettings
    keystrokes: KeystrokePass | None = None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All that the runner reads, each once, the model last: it is the one that tells the job apart."""
        texts = [self.keystrokes.texts] if self.keystrokes else []
        return tuple(dict.fromkeys([*(one.blob for one in self.inputs), *texts, self.model]))

    @model_validator(mode="after")
    def _keystrokes_are_characters(self) -> Job:
        characters = len(self.inputs) == 1 and isinstance(self.inputs[0].encoding, CharacterEncoding)
        if self.keystrokes is not None and not characters:
            raise ValueError("keystrokes need one input of the encoding 'characters'")
        return self

    @model_validator(mode="after")
    def _blobs_hold_the_records(self) -> Job:
        for job_input in self.inputs:
            expected = job_input.encoding.record_bytes * self.input_count
            if job_input.blob.bytes != expected:
                raise ValueError(
                    f"inputs blob has {job_input.blob.bytes} bytes, but {self.input_count} records "
                    f"of {job_input.encoding.record_bytes} bytes need {expected}"
                )
        return self

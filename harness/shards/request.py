"""A shard of a large computation: some inputs of a workload, and the engine that takes them.

It is JSON on the wire and names no path of any machine: files go by their hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from harness.core.jobs import Blob, Count, Encoding, TensorEncoding
from harness.core.model_io import ModelIO
from harness.core.value import Value
from harness.core.variants import Form
from harness.errors import WireError
from harness.models.files import MOST_FILES
from harness.models.source import SourceFormat
from harness.wire.encoding import record_layout

CODE_VERSION: Final = 2
"""Raise it whenever the same request and payload would get another answer, be it by one bit."""

BATCH: Final = 32
"""Inputs that an engine takes at once, where it takes several. How many they are decides the bits of each result, so
a batch begins at a multiple of this whatever the shards are: a shard begins there, too."""

MOST_INPUTS: Final = 1 << 20

_WINDOWS_SEPARATORS: Final = frozenset("\\:")


def _relative(name: str) -> str:
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or not name.isprintable():
        raise ValueError(f"{name!r} is not the name of a file below a folder")
    if _WINDOWS_SEPARATORS & set(name):
        raise ValueError(f"{name!r} would be a path on Windows")
    return name


RelativeName = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_relative)]


class SourceFile(Value):
    """A file of a source model, named relative to the folder in which they all lie."""

    name: RelativeName
    content: Blob


class SourceFiles(Value):
    """A source model as blobs. ``entry`` is what is opened: a file, a checkpoint's prefix, or, empty, the folder."""

    format: SourceFormat
    files: Annotated[tuple[SourceFile, ...], Field(min_length=1, max_length=MOST_FILES)]
    entry: RelativeName | Literal[""] = ""

    @model_validator(mode="after")
    def _names_differ(self) -> SourceFiles:
        names = {file.name for file in self.files}
        # A file that is another one's folder, too.
        folders = {name[:end] for name in names for end, letter in enumerate(name) if letter == "/"}
        if len(names) != len(self.files) or names & folders:
            raise ValueError("two files of one name")
        return self


class Kernels(StrEnum):
    """By which kernels LiteRT runs a .tflite: its default (XNNPACK where it can), or only its own built-in ones."""

    DEFAULT = "default"
    BUILTIN = "builtin"


class InputTensor(Value):
    """One input tensor: its name, empty for the model's first, and how a record becomes its elements."""

    tensor: str
    encoding: Encoding


class ReferenceEngine(Value):
    """The source model as it runs on the desktop. A shard's answer is float32 ``[count, classes]``, little-endian.

    A shard's payload is a buffer of ``count`` records for each of ``inputs``; where there are none, the graph takes
    the bytes of image files, and the payload is a buffer for each of ``count`` files.
    """

    kind: Literal["reference"] = "reference"
    source: SourceFiles
    inputs: tuple[InputTensor, ...] = ()
    io: ModelIO = ModelIO()
    kernels: Kernels = Kernels.DEFAULT


class RangesEngine(Value):
    """A float32 .tflite whose activations are watched, for full-integer recipes.

    A shard's payload is one buffer of ``count`` calibration samples, each as the model's input without the batch axis
    of ``sample``. Its answer is read by ``harness.variants.activation_ranges``. ``form`` decides which operations are
    watched.
    """

    kind: Literal["ranges"] = "ranges"
    source: SourceFiles
    sample: TensorEncoding
    form: Form

    @property
    def inputs(self) -> tuple[InputTensor, ...]:
        return (InputTensor(tensor="", encoding=self.sample),)


Engine = ReferenceEngine | RangesEngine


class ShardRequest(Value):
    """``count`` inputs from number ``first`` on.

    ``names`` are what errors call the inputs, where not by number. A reference's shard begins at a multiple of
    ``BATCH``.
    """

    engine: Annotated[Engine, Field(discriminator="kind")]
    first: Count
    count: Annotated[int, Field(ge=1, le=MOST_INPUTS)]
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _named_all_or_none(self) -> ShardRequest:
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{len(self.names)} names for {self.count} inputs")
        return self

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All that must be in the store of whoever computes this."""
        return tuple(file.content for file in self.engine.source.files)

    def check_payload(self, payload: Sequence[bytes | memoryview]) -> None:
        """See that the payload is as long as the request says.

        Raises:
            WireError: it is not.
        """
        given = [memoryview(buffer).nbytes for buffer in payload]
        inputs = self.engine.inputs
        wanted = [self.count * item.encoding.record_bytes for item in inputs]
        if (given != wanted) if inputs else (len(given) != self.count):
            raise WireError(
                f"the shard from input {self.first} on has {given} bytes, {wanted or self.count} were announced",
                next_step="Run the command again.",
            )


def records_of(encoding: Encoding, buffer: bytes | memoryview) -> NDArray[Any]:
    """The records in ``buffer``, ``[count, *record]``, not copied."""
    dtype, shape = record_layout(encoding)
    return np.frombuffer(buffer, dtype).reshape(-1, *shape)

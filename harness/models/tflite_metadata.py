"""The metadata of a ``.tflite``: what its author wrote down, and the files packed behind it.

Two parts (https://www.tensorflow.org/lite/models/convert/metadata): a flatbuffer of its own in the buffer
``TFLITE_METADATA``, whose field numbers follow ``metadata_schema.fbs``, and a zip archive appended to the file, which
holds labels and vocabularies. Nothing is unpacked to disk.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.core.inspection import MOST_LABELS, PackedFile
from harness.models.flatbuffer import Flatbuffer, FlatbufferError, Table

METADATA_NAME: Final = "TFLITE_METADATA"
METADATA_IDENTIFIER: Final = b"M001"
MOST_FILES: Final = 50
LARGEST_LABELS_BYTES: Final = 4 * 2**20

_LONGEST_TEXT: Final = 4000
_LABEL_TYPES: Final = frozenset({2, 3})  # TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS
_NORMALIZATION: Final = 1
_TEXT_FIELDS: Final = ((0, "name"), (1, "description"), (2, "version"), (4, "author"), (5, "licence"))


def read_metadata(data: memoryview) -> tuple[tuple[tuple[str, str], ...], frozenset[str]]:
    """The entries, and the names of packed files that hold labels.

    Raises:
        FlatbufferError: the bytes are not the metadata they claim to be.
    """
    if bytes(data[4:8]) != METADATA_IDENTIFIER:
        raise FlatbufferError("it does not carry the identifier M001")
    root = Flatbuffer(data).root()
    entries = [(key, _text(root, field)) for field, key in _TEXT_FIELDS]
    labels = set(_label_files(root, 6))
    for graph in root.tables(3):
        labels.update(_label_files(graph, 4))
        for field, side in ((2, "input"), (3, "output")):
            for index, tensor in enumerate(graph.tables(field)):
                labels.update(_label_files(tensor, 6))
                entries += _tensor_entries(tensor, f"{side} {index}")
    return tuple((key, text) for key, text in entries if text), frozenset(labels)


def _tensor_entries(tensor: Table, what: str) -> Iterator[tuple[str, str]]:
    name, description = _text(tensor, 0), _text(tensor, 1)
    yield what, f"{name}: {description}" if name and description else name or description
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.number(0, "<B") == _NORMALIZATION and options is not None:
            mean, deviation = (
                ", ".join(f"{value:g}" for value in options.floats(field)[:4]) for field in (0, 1)
            )
            yield f"{what} normalization", f"(x - {mean}) / {deviation}"


def _label_files(table: Table, field: int) -> Iterator[str]:
    for file in table.tables(field):
        if file.number(2, "<b") in _LABEL_TYPES:
            yield _text(file, 0)


def _text(table: Table, field: int) -> str:
    return table.text(field)[:_LONGEST_TEXT]


def packed_files(path: Path, label_files: frozenset[str]) -> tuple[tuple[PackedFile, ...], str | None]:
    """The files in the zip archive behind the model, and why it could not be read in full.

    ``label_files`` are read as labels, one a line; so is every ``.txt`` with "label" in its name.
    """
    if not zipfile.is_zipfile(path):
        return (), None
    found: list[PackedFile] = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for member in members[:MOST_FILES]:
                name = member.filename[:_LONGEST_TEXT]
                is_labels = name in label_files or ("label" in name.lower() and name.endswith(".txt"))
                if is_labels and member.flag_bits & 1 == 0:
                    found.append(_labels(archive, member, name))
                else:
                    found.append(PackedFile(name=name, bytes=member.file_size))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error, EOFError) as error:
        return tuple(found), f"the archive behind the model is damaged: {error}"
    left = len(members) - len(found)
    return tuple(found), f"{left} more packed files are not listed" if left else None


def _labels(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> PackedFile:
    with archive.open(member) as stream:
        # The size in the archive's directory need not be true.
        data = stream.read(LARGEST_LABELS_BYTES + 1)
    if len(data) > LARGEST_LABELS_BYTES:
        return PackedFile(name=name, bytes=member.file_size)
    lines = data.decode("utf-8", errors="replace").splitlines()
    return PackedFile(
        name=name,
        bytes=len(data),
        label_count=len(lines),
        labels=tuple(line[:_LONGEST_TEXT] for line in lines[:MOST_LABELS]),
    )

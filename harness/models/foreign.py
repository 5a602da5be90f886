"""Says what a file looks like that is no model this harness reads."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path
from typing import Final

HEAD_BYTES: Final = 512

# The directory at the end of such a file lists the graph last (tensorflow/core/util/memmapped_file_system.h).
_MEMORY_MAPPED: Final = b"memmapped_package://."
_END_BYTES: Final = 64

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x7fELF", "an ELF program or library"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program or library"),
    (b"GGUF", "a GGUF model"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"version https://git-lfs", "a Git LFS pointer: the file itself was not downloaded (git lfs pull)"),
)


def looks_like(path: Path, head: bytes) -> str:
    """A phrase for the content; ``head`` is the first ``HEAD_BYTES`` bytes."""
    for signature, phrase in _SIGNATURES:
        if head.startswith(signature):
            return phrase
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    # Protocol 2 and later start with 0x80 and the protocol's number.
    if len(head) >= 2 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return "a Python pickle, which is never loaded because it can run any program"
    if head[257:262] == b"ustar":
        return "a tar archive"
    text = _text(head)
    if text is not None:
        start = text.lstrip().lower()
        if start.startswith(("<!doctype html", "<html")):
            return "an HTML page, perhaps of a failed download"
        return "a text file"
    if _is_onnx(head):
        return "an ONNX model"
    if _MEMORY_MAPPED in _end(path):
        return "a memory-mapped TensorFlow graph, made from a frozen GraphDef"
    return "of no known kind"


def _end(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _END_BYTES))
        return stream.read()


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a zip archive that is damaged or was cut off"
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch checkpoint (a zip with a pickle in it)"
    if any(name.endswith(".npy") for name in names):
        return "NumPy arrays (.npz)"
    shown = ", ".join(names[:3]) or "nothing"
    return f"a zip archive of other things ({shown}{', …' if len(names) > 3 else ''})"


def _text(head: bytes) -> str | None:
    if b"\x00" in head:
        return None
    try:
        # Incrementally, because the last character of the head may be cut in two.
        return codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None


def _is_onnx(head: bytes) -> bool:
    """ModelProto: field 1 (ir_version, a small varint), then field 2 (producer_name, a string)."""
    return len(head) > 3 and head[0] == 0x08 and head[1] < 0x20 and head[2] == 0x12

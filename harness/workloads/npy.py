"""The .npy and .npz formats, read without anything that could be executed.

Source: NEP 1 and ``numpy.lib.format``.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.errors import WorkloadError

MAX_MEMBER_BYTES: Final = 4 << 30
"""A compressed member may claim any size; more than this is not read."""

_NPY_MAGIC: Final = b"\x93NUMPY"
_ZIP_MAGIC: Final = b"PK"


def npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """What precedes the elements of an array in C order."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file by name, in the file's order; that of a .npy is named ``""``.

    A .npy is mapped, not read. The content tells the two formats apart, not the suffix.

    Raises:
        WorkloadError: missing, neither format, truncated, corrupt, or with pickled objects.
    """
    try:
        with path.open("rb") as stream:
            magic = stream.read(len(_NPY_MAGIC))
    except OSError as error:
        raise WorkloadError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            next_step="Check the path in the suite.",
        ) from error
    if magic == _NPY_MAGIC:
        return {"": _map(path)}
    if magic.startswith(_ZIP_MAGIC):
        return _read_archive(path)
    raise WorkloadError(
        "the file is empty" if not magic else "neither a .npy nor a .npz file",
        where=str(path),
        next_step="Write it with numpy.save or numpy.savez.",
    )


def _map(path: Path) -> NDArray[Any]:
    try:
        mapped: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:
        # The header is text that is parsed: beside ValueError it can raise nearly anything.
        if "Python objects" in str(error):
            raise _pickled(path, "") from error
        # numpy cannot map what has no elements; the caller's message for that is the better one.
        empty = _read_empty(path)
        if empty is not None:
            return empty
        raise _corrupt(path, "", error) from error
    return mapped


def _read_empty(path: Path) -> NDArray[Any] | None:
    try:
        with path.open("rb") as stream:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception:
        return None
    return array if array.size == 0 else None


def _read_archive(path: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    member = ""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                member = info.filename
                if not member.endswith(".npy"):
                    raise ValueError("not an array")
                if info.file_size > MAX_MEMBER_BYTES:
                    raise ValueError(f"larger than {MAX_MEMBER_BYTES >> 30} GiB")
                name = member.removesuffix(".npy")
                if name in arrays:
                    raise ValueError("the name occurs twice")
                arrays[name] = np.lib.format.read_array(io.BytesIO(archive.read(info)), allow_pickle=False)
    except Exception as error:
        # zipfile and the decompressors raise BadZipFile, zlib.error, RuntimeError, NotImplementedError, ...
        if "allow_pickle" in str(error):
            raise _pickled(path, member) from error
        raise _corrupt(path, member, error) from error
    if not arrays:
        raise WorkloadError(
            "the archive holds no array", where=str(path), next_step="Write it with numpy.savez."
        )
    return arrays


def _where(path: Path, member: str) -> str:
    return f"{path} ({member})" if member else str(path)


def _pickled(path: Path, member: str) -> WorkloadError:
    return WorkloadError(
        "the array holds Python objects, which are never unpickled",
        where=_where(path, member),
        next_step="Save numbers of one type: numpy.save(file, numpy.asarray(data, 'float32')).",
    )


def _corrupt(path: Path, member: str, error: Exception) -> WorkloadError:
    return WorkloadError(
        f"truncated or corrupt: {str(error) or type(error).__name__}",
        where=_where(path, member),
        next_step="Write it again with numpy.save or numpy.savez.",
    )

"""The .npy format, version 1.0 to 3.0, without anything that could be executed.

Source: NEP 1 and ``numpy.lib.format``.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np


def npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """What precedes the elements of an array in C order."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()

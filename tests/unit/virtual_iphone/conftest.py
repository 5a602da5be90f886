"""A phone's folder, and conversations with its services."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from service_conversation import converse as converse_with


@pytest.fixture
def phone_folder(tmp_path: Path) -> Path:
    return tmp_path / "phone"


@pytest.fixture
def converse(phone_folder: Path) -> Callable[..., bytes]:
    """Sends bytes to a service and returns all that it answered before it closed the connection."""
    return functools.partial(converse_with, phone_folder)

"""What of a run is wanted from a store."""

from __future__ import annotations

from enum import Enum, auto


class Need(Enum):
    """Each has all of the one before."""

    REPORT = auto()
    """To evaluate it: its records, event logs and outputs, the reference's outputs; no models and no inputs."""
    PICTURES = auto()
    """The inputs as well."""
    WHOLE = auto()

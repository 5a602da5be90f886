"""Which of two logs of one job goes on: the host's copy or the phone's. Pure.

The host's copy is always a whole number of records. The phone's may be ahead (the app went on after the cable was
pulled), behind (the app was deleted, or the power went before its disk was written) or of another job altogether.
"""

from __future__ import annotations

from enum import StrEnum

COMPARED_BYTES = 64 * 1024


class Adoption(StrEnum):
    """What to do with the phone's log before the job goes on."""

    FRESH = "fresh"
    """Neither side has one."""
    PULL = "pull"
    """The host's is the beginning of the phone's: fetch the rest."""
    PUSH = "push"
    """The phone has none, or the beginning of the host's: send the host's."""


def complete_records(log: bytes) -> bytes:
    """``log`` without a last line that was cut off."""
    return log[: log.rfind(b"\n") + 1]


def overlap_to_compare(local_bytes: int, phone_bytes: int) -> tuple[int, int]:
    """The part ``[start, end)`` of both logs that must be equal for one to continue the other."""
    end = min(local_bytes, phone_bytes)
    return max(0, end - COMPARED_BYTES), end


def adopt(local_bytes: int, phone_bytes: int | None, *, overlap_is_equal: bool) -> Adoption:
    """``phone_bytes``: size of the phone's log of the same job of the same run; none: there is none.

    Where the two differ the host's is the truth: it was written down and counted already.
    """
    if not local_bytes and not phone_bytes:
        return Adoption.FRESH
    if phone_bytes is not None and phone_bytes >= local_bytes and overlap_is_equal:
        return Adoption.PULL
    return Adoption.PUSH

"""What a device is, as far as a target's query asks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from harness.core.value import Value

_Text = Annotated[str, Field(max_length=500)]


class DeviceKind(StrEnum):
    """What runs the jobs: a phone, real or virtual, or a computer's own cores."""

    IPHONE = "iphone"
    LOCAL = "local"


class DeviceTraits(Value):
    """One device. What it does not tell (a phone that does not trust the host) or does not have is absent.

    ``model`` is Apple's identifier (``iPhone15,2``), ``ios`` the release (``18.5``), ``host`` the name of the machine
    that it is attached to.
    """

    kind: DeviceKind
    udid: _Text | None = None
    model: _Text | None = None
    ios: _Text | None = None
    name: _Text | None = None
    is_virtual: bool | None = None
    host: _Text | None = None

    @property
    def label(self) -> str:
        """For a person: ``Ada’s iPhone (iPhone14,5 iOS 17.6)``, or what of it is known. A name may hold anything."""
        system = f"iOS {self.ios}" if self.ios is not None else None
        build = " ".join(part for part in (self.model, system) if part)
        name = self.name or (self.udid if self.kind is DeviceKind.IPHONE else self.host)
        text = f"{name} ({build})" if self.name and build else build or name or self.kind.value
        return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)

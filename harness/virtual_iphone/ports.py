"""The phone's ports: lockdown's, those of started services, and those that apps listen on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from harness.virtual_iphone.pairing import Pairing
from harness.virtual_iphone.services import Service

LOCKDOWN_PORT = 62078
_FIRST_SERVICE_PORT = 49152
_LAST_SERVICE_PORT = 62000
# A client that starts services and never connects must not fill the table.
_MOST_OPEN = 256


@dataclass(frozen=True)
class OpenPort:
    """A started service that waits for its client; ``pairing`` where the connection is TLS from its first byte."""

    service: Service
    pairing: Pairing | None


class ServicePorts:
    """Each started service has a port of its own, good for one connection."""

    def __init__(self) -> None:
        self._numbers = itertools.cycle(range(_FIRST_SERVICE_PORT, _LAST_SERVICE_PORT))
        self._open: dict[int, OpenPort] = {}

    def open(self, service: Service, pairing: Pairing | None) -> int:
        while len(self._open) >= _MOST_OPEN:
            del self._open[next(iter(self._open))]
        number = next(number for number in self._numbers if number not in self._open)
        self._open[number] = OpenPort(service, pairing)
        return number

    def take(self, number: int) -> OpenPort | None:
        return self._open.pop(number, None)


def announce_app_port(folder: Path, port: int, host_port: int) -> None:
    """Tell the phone that an app listens on ``port``, which is ``host_port`` of this machine.

    Two phones on one machine may have apps on the same port, so that an app takes any port here and says which.
    """
    temporary = folder / f".{port}"
    temporary.write_text(str(host_port), "ascii")
    temporary.replace(folder / str(port))


def app_host_port(folder: Path, port: int) -> int | None:
    """The port of this machine that stands for ``port`` of the phone; ``None`` where no app listens on it."""
    try:
        return int((folder / str(port)).read_text("ascii"))
    except (OSError, ValueError):
        return None

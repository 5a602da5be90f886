"""How a worker tells what it has: as Dask resources, whose names say what they are.

    iphone udid=00008120-001A model=iPhone15,2 ios=18.5 class=iphone release=0.1.0
    local host=desk1 release=0.1.0
    cores engine=5f0c21d4a7b3 release=0.1.0

Each phone and each machine is one unit, taken by a job while it runs; of ``cores`` there are as many as shards of a
reference may run at once. Dask's own tools show the same names. Values are percent-encoded.

Where a phone is attached is no part of its name, so that what waits for it goes on when it is moved: that is told by
the name of its worker. The harness's release is part of the name, so that Dask gives a request to no worker of another
release than the one that asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from pydantic import ValidationError

from harness import __version__
from harness.core.device_traits import DeviceKind, DeviceTraits

LONGEST_RESOURCE: Final = 4000
"""Room for a phone's name of a hundred emoji."""
_SAFE: Final = ",.:-_"
_FIELD: Final = re.compile(r"([a-z]+)=(\S*)")
_CLASSES: Final = {None: None, "iphone": False, "virtual": True}


@dataclass(frozen=True)
class Announced:
    """One resource of one worker. ``device`` is ``None`` for cores, ``engine`` for a device."""

    address: str
    resource: str
    count: int
    device: DeviceTraits | None = None
    engine: str | None = None
    release: str = __version__
    """Of the worker's harness; empty where it tells none."""

    @property
    def is_of_this_release(self) -> bool:
        """Whether it answers what this harness asks."""
        return self.release == __version__


def device_resource(device: DeviceTraits) -> str:
    """The name of the resource that stands for ``device``."""
    fields = {
        "udid": device.udid,
        "model": device.model,
        "ios": device.ios,
        "class": None if device.is_virtual is None else "virtual" if device.is_virtual else "iphone",
        "host": device.host if device.kind is DeviceKind.LOCAL else None,
        "name": device.name,
    }
    return _name(device.kind.value, fields)


def cores_resource(engine: str) -> str:
    """The name of the cores that compute by ``engine``, the fingerprint of what decides the bits of a result."""
    return _name("cores", {"engine": engine})


def _name(kind: str, fields: Mapping[str, str | None]) -> str:
    told = {**fields, "release": __version__}
    return " ".join([kind, *(f"{name}={quote(value, safe=_SAFE)}" for name, value in told.items() if value)])


def worker_name(host: str, member: str, process: str) -> str:
    """What a member of the worker process on ``host`` is called in the cluster."""
    return f"{host}/{member}/{process}"


def announced_by(workers: Mapping[str, Mapping[str, Any]]) -> tuple[Announced, ...]:
    """What the workers have, from what the scheduler tells of each by its address.

    What is not the harness's is passed over.
    """
    found = []
    for address, worker in workers.items():
        host = str(worker["name"]).rsplit("/", 2)[0]
        for resource, count in worker["resources"].items():
            if isinstance(count, int | float) and count >= 1:
                read = _read(address, host, resource, int(count))
                found += [read] if read else []
    return tuple(sorted(found, key=lambda one: (one.resource, one.address)))


def _read(address: str, host: str, resource: str, count: int) -> Announced | None:
    if len(resource) > LONGEST_RESOURCE:
        return None
    kind, _, rest = resource.partition(" ")
    fields = {}
    for word in rest.split(" ") if rest else ():
        match = _FIELD.fullmatch(word)
        if match is None or match[1] in fields:
            return None
        fields[match[1]] = unquote(match[2])
    release = fields.pop("release", "")
    if kind == "cores":
        engine = fields.pop("engine", "")
        if not engine or fields:
            return None
        return Announced(address, resource, count, engine=engine, release=release)
    its_class = fields.pop("class", None)
    if its_class not in _CLASSES:
        return None
    if kind == DeviceKind.IPHONE and "host" not in fields:
        fields["host"] = host
    try:
        device = DeviceTraits(kind=DeviceKind(kind), is_virtual=_CLASSES[its_class], **fields)
    except (ValueError, ValidationError, TypeError):
        return None
    # A phone is asked for by its UDID, a computer by its name.
    if not (device.udid if device.kind is DeviceKind.IPHONE else device.host):
        return None
    return Announced(address, resource, count, device=device, release=release)

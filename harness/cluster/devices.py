"""How a worker tells what it has: as Dask resources, whose names say what they are.

    iphone udid=00008120-001A model=iPhone15,2 ios=18.5 class=iphone host=desk1
    local host=desk1
    cores engine=5f0c21d4a7b3

Each phone and each machine is one unit, taken by a job while it runs; of ``cores`` there are as many as shards of a
reference may run at once. Dask's own tools show the same names. Values are percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from pydantic import ValidationError

from harness.core.device_traits import DeviceKind, DeviceTraits

_SAFE: Final = ",.:-_"
_FIELD: Final = re.compile(r"([a-z]+)=(\S*)")
_LONGEST: Final = 600
_CLASSES: Final = {None: None, "iphone": False, "virtual": True}


@dataclass(frozen=True)
class Announced:
    """One resource of one worker. ``device`` is ``None`` for cores, ``engine`` for a device."""

    address: str
    resource: str
    count: int
    device: DeviceTraits | None = None
    engine: str | None = None


def device_resource(device: DeviceTraits) -> str:
    """The name of the resource that stands for ``device``."""
    fields = {
        "udid": device.udid,
        "model": device.model,
        "ios": device.ios,
        "class": None if device.is_virtual is None else "virtual" if device.is_virtual else "iphone",
        "host": device.host,
        "name": device.name,
    }
    told = [f"{name}={quote(value, safe=_SAFE)}" for name, value in fields.items() if value]
    return " ".join([device.kind.value, *told])


def cores_resource(engine: str) -> str:
    """The name of the cores that compute by ``engine``, the fingerprint of what decides the bits of a result."""
    return f"cores engine={quote(engine, safe=_SAFE)}"


def announced_by(resources: Mapping[str, Mapping[str, Any]]) -> tuple[Announced, ...]:
    """What the workers have, from their resources by address. What is not the harness's is passed over."""
    found = []
    for address, its in resources.items():
        for resource, count in its.items():
            if isinstance(count, int | float) and count >= 1:
                read = _read(address, resource, int(count))
                found += [read] if read else []
    return tuple(sorted(found, key=lambda one: (one.resource, one.address)))


def _read(address: str, resource: str, count: int) -> Announced | None:
    if len(resource) > _LONGEST:
        return None
    kind, _, rest = resource.partition(" ")
    fields = {}
    for word in rest.split(" ") if rest else ():
        match = _FIELD.fullmatch(word)
        if match is None or match[1] in fields:
            return None
        fields[match[1]] = unquote(match[2])
    if kind == "cores":
        engine = fields.pop("engine", "")
        return Announced(address, resource, count, engine=engine) if engine and not fields else None
    its_class = fields.pop("class", None)
    if its_class not in _CLASSES:
        return None
    try:
        device = DeviceTraits(kind=DeviceKind(kind), is_virtual=_CLASSES[its_class], **fields)
    except (ValueError, ValidationError, TypeError):
        return None
    # A phone is asked for by its UDID, a computer by its name.
    if not (device.udid if device.kind is DeviceKind.IPHONE else device.host):
        return None
    return Announced(address, resource, count, device=device)

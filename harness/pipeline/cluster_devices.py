"""The devices of a cluster: which a target's name stands for, and the target of one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from harness import __version__
from harness.cluster.connection import Cluster, LostError
from harness.cluster.devices import Announced
from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.core.target_query import TargetQuery, explain_no_match
from harness.core.target_query_parser import is_target_query, parse_target_query
from harness.errors import TargetError, UsageError
from harness.targets.base import TargetWatcher
from harness.targets.cluster import ClusterTarget
from harness.virtual_iphone.identity import phone_identity

_LOOK_AGAIN_S = 0.2
_TOLD_AFTER_S = 10.0
_ATTACH = "See what the cluster has: harness devices --cluster ADDRESS."


def devices_of_cluster(name: str, cluster: Cluster) -> tuple[str, ...]:
    """The names of the cluster's single devices that ``name`` stands for: ``iphone:UDID``, ``local:HOST``.

    Raises:
        UsageError: there is no such target, or it may be any of several.
        TargetError: the cluster has none.
    """
    kind, _, argument = name.partition(":")
    if is_target_query(name):
        return _matching(parse_target_query(name), cluster)
    if kind in ("iphone", "local") and (argument or ":" not in name):
        found = [
            its for its in announced_devices(cluster) if its.kind.value == kind and _is_called(its, argument)
        ]
        names = tuple(dict.fromkeys(map(device_name, found)))
        if not names:
            raise TargetError(f"no worker has {name}", where=cluster.address, next_step=_ATTACH)
        if argument == "*" or len(names) == 1:
            return names
        raise TargetError(
            f"the cluster has {len(names)} of them: {', '.join(names)}",
            where=name,
            next_step=f"Name one, --target {names[0]}, or take all of them: --target '{kind}:*'.",
        )
    if kind == "virtual":
        raise UsageError(
            "virtual iPhones are this machine's, and no cluster's",
            where="target",
            next_step="Leave --cluster and HARNESS_CLUSTER out, or choose iphone.",
        )
    raise UsageError(
        f"a cluster has no target {name!r}",
        where="target",
        next_step="Choose iphone, iphone:UDID, iphone:*, local, local:HOST, or a query: 'iphone where ios>=18'.",
    )


def cluster_target(
    name: str, cluster: Cluster, watcher: TargetWatcher, *, idle_limit_s: float, patience_s: float
) -> ClusterTarget:
    """The device called ``name``, as ``devices_of_cluster`` names it, once a worker has it.

    Raises:
        TargetError: no worker has announced it within ``patience_s``, or one of another release has; two machines go
            by its name.
    """
    kind, _, argument = _announced_name(name).partition(":")
    started_s, is_told = time.monotonic(), False
    while True:
        device = _usable(cluster, kind, argument)
        if device is not None:
            if is_told:
                watcher.waiting(name, "")
            return ClusterTarget(cluster, device, watcher, idle_limit_s=idle_limit_s)
        waited_s = time.monotonic() - started_s
        if waited_s > patience_s:
            raise TargetError(f"no worker has {name}", where=cluster.address, next_step=_ATTACH)
        if waited_s > _TOLD_AFTER_S and not is_told:
            is_told = True
            watcher.waiting(name, "no worker has it yet: unlock it, and tap Trust if it asks")
        time.sleep(_LOOK_AGAIN_S)


def _announced_name(name: str) -> str:
    """As a cluster knows it: to its worker a virtual phone is a phone like any other."""
    kind, _, argument = name.partition(":")
    if kind != "virtual":
        return name
    ios, _, number = argument.partition("#")
    return f"iphone:{phone_identity(ios, None, int(number) - 1).udid}"


def announced_devices(cluster: Cluster) -> tuple[DeviceTraits, ...]:
    """Every phone and machine of the cluster.

    Raises:
        TargetError: the scheduler is gone.
    """
    return tuple(one.device for one in _announced(cluster) if one.device is not None)


def _announced(cluster: Cluster) -> tuple[Announced, ...]:
    try:
        return cluster.announced()
    except LostError as lost:
        raise TargetError(
            f"the scheduler does not answer: {lost}",
            where=cluster.address,
            next_step="See that it runs: harness scheduler.",
        ) from None


def _usable(cluster: Cluster, kind: str, argument: str) -> DeviceTraits | None:
    """The device at a worker of this release, if there is one.

    Raises:
        TargetError: only a worker of another release has it, or two machines go by that name.
    """
    usable, others = [], []
    for one in _announced(cluster):
        device = one.device
        if device is not None and device.kind.value == kind and _is_called(device, argument):
            if one.is_of_this_release:
                usable.append(device)
            else:
                others.append((one, device))
    if len(usable) > 1 and kind == DeviceKind.LOCAL.value:
        # A phone that is moved is the same phone. One run's figures from two machines would be nobody's.
        raise TargetError(
            f"{len(usable)} workers call their machine {argument}",
            where=cluster.address,
            next_step="Give each a name of its own (harness worker ADDRESS --name NAME); one that was just switched "
            "off is forgotten within a minute.",
        )
    if usable:
        return usable[0]
    for one, device in others:
        raise TargetError(
            f"its worker has harness {one.release or 'of an unknown release'}, this is {__version__}",
            where=f"{device.label} at {device.host or one.address}",
            next_step="Install the same release on every machine of the cluster, and start the worker again.",
        )
    return None


def device_name(device: DeviceTraits) -> str:
    """By which a plan knows the device."""
    return f"{device.kind.value}:{device.host if device.kind is DeviceKind.LOCAL else device.udid}"


def _is_called(device: DeviceTraits, argument: str) -> bool:
    if argument in ("", "*"):
        return True
    if device.kind is DeviceKind.LOCAL:
        return device.host == argument
    return (device.udid or "").replace("-", "") == argument.replace("-", "")


def _matching(query: TargetQuery, cluster: Cluster) -> tuple[str, ...]:
    candidates: Sequence[DeviceTraits] = announced_devices(cluster)
    found = [candidate for candidate in candidates if query.matches(candidate)]
    if not found:
        why = "; ".join(explain_no_match(query, candidates)) or "it has no devices"
        raise TargetError(
            f"no device of the cluster matches; {why}",
            where=str(query),
            next_step=f"Change the query. {_ATTACH}",
        )
    return tuple(dict.fromkeys(map(device_name, found)))

"""The chain from this machine to a lab's phones and cores, step by step, with what to do next where it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from harness import __version__
from harness.cluster.address import ClusterAddress, Scheme
from harness.cluster.certificate_files import read_certificates
from harness.cluster.security import security_of
from harness.cluster.survey import Member, Survey, reach, shake_hands, survey
from harness.core.device_traits import DeviceKind
from harness.errors import HarnessError
from harness.pipeline.cluster_devices import device_name
from harness.shards.engine_fingerprint import engine_fingerprint
from harness.targets.iphone.checks import Step

_NO_SCHEDULER: Final = {
    Scheme.TCP: "It may speak TLS: name it tls://HOST:PORT, on a machine with certificates. Else see that what listens "
    "there is 'harness scheduler' of this release.",
    Scheme.TLS: "See that what listens there is 'harness scheduler' of this release.",
}
_SAME_RELEASE: Final = "Install the same release of the harness there and here, and start the worker again."


def cluster_checks(address: ClusterAddress, folder: Path) -> Iterator[Step]:
    """From the certificates in ``folder`` to the devices of the cluster; ends with the first step that breaks it."""
    step = "certificates"
    try:
        yield _certificates(address, folder)
        step = "network"
        reach(address)
        yield Step(name=step, is_well=True, found=f"something listens at {address.host}, port {address.port}")
        step = "encryption"
        yield Step(name=step, is_well=True, found=shake_hands(address, security_of(address, folder)))
        step = "scheduler"
        found = survey(address, security_of(address, folder))
    except HarnessError as error:
        next_step = error.next_step if step != "scheduler" else _NO_SCHEDULER[address.scheme]
        yield Step(name=step, is_well=False, found=str(error), next_step=next_step)
        return
    yield from survey_steps(found, str(address), ours=version("distributed"), engine=engine_fingerprint())


def survey_steps(found: Survey, address: str, *, ours: str, engine: str) -> Iterator[Step]:
    """What a survey comes to; ``ours`` is this machine's release of Dask, ``engine`` its fingerprint."""
    is_same = found.dask == ours
    yield Step(
        name="scheduler",
        is_well=is_same,
        found=f"it answers; Dask {found.dask}" + ("" if is_same else f", here {ours}"),
        next_step="" if is_same else "Install the same release of the harness there and here.",
    )
    if not found.members:
        yield Step(
            name="workers",
            is_well=False,
            found="none has joined",
            next_step=f"On each machine with phones: harness worker {address}.",
        )
        return
    for host in sorted({member.host for member in found.members}):
        yield _worker(host, [member for member in found.members if member.host == host], ours)
    yield from _devices(found)
    yield _cores(found, engine)


def _certificates(address: ClusterAddress, folder: Path) -> Step:
    if address.scheme is Scheme.TCP:
        return Step(
            name="certificates",
            is_well=address.is_loopback,
            found="none are used"
            + (": on this machine alone none are needed" if address.is_loopback else ""),
            next_step=""
            if address.is_loopback
            else "Make them, so that not everybody on the network can use it: harness certificates make.",
            is_needed=False,
        )
    now = datetime.now(UTC)
    certificates = read_certificates(folder, now)
    machine = certificates.machine
    warnings = certificates.warnings_at(now)
    return Step(
        name="certificates",
        is_well=not warnings,
        found=f"{machine.name} of {certificates.authority.name}, until {machine.valid_until:%Y-%m-%d}: {folder}",
        next_step=" ".join(warnings),
        is_needed=False,
    )


def _worker(host: str, members: Sequence[Member], ours: str) -> Step:
    announced = [one for member in members for one in member.announced]
    releases = sorted({one.release or "unknown" for one in announced})
    dask = sorted({member.dask for member in members if member.dask})
    found = f"harness {', '.join(releases) or 'unknown'}, Dask {', '.join(dask) or 'unknown'}, {_offered(members)}"
    next_step = ""
    unreached = [member.address for member in members if member.dask is None]
    if releases != [__version__]:
        found, next_step = f"{found}; here is harness {__version__}", _SAME_RELEASE
    elif unreached:
        found = f"{found}; not reached from here: {', '.join(unreached)}"
        next_step = (
            "Open its ports in the firewall there: harness worker ADDRESS --ports 9000:9031 names them."
        )
    elif dask != [ours]:
        found, next_step = f"{found}; here is Dask {ours}", _SAME_RELEASE
    return Step(name=f"worker {host}", is_well=not next_step, found=found, next_step=next_step)


def _offered(members: Sequence[Member]) -> str:
    announced = [one for member in members for one in member.announced]
    phones = sum(one.device is not None and one.device.kind is DeviceKind.IPHONE for one in announced)
    cores = sum(one.count for one in announced if one.engine is not None)
    is_target = any(one.device is not None and one.device.kind is DeviceKind.LOCAL for one in announced)
    offered = [f"{phones} phone{'' if phones == 1 else 's'}", f"{cores} core{'' if cores == 1 else 's'}"]
    return ", ".join([*offered, *(["itself as a target"] if is_target else [])])


def _devices(found: Survey) -> Iterator[Step]:
    devices = [one.device for member in found.members for one in member.announced if one.device is not None]
    phones = [device for device in devices if device.kind is DeviceKind.IPHONE]
    for phone in sorted(phones, key=lambda one: (one.host or "", one.udid or "")):
        yield Step(
            name="phone",
            is_well=True,
            found=f"{phone.label} at {phone.host or 'an unknown host'}: --target {device_name(phone)}",
        )
    if not phones:
        yield Step(
            name="phones",
            is_well=False,
            found="no worker has one",
            next_step="Attach and unlock one at a machine with a worker; there: harness doctor --target iphone.",
            is_needed=False,
        )


def _cores(found: Survey, engine: str) -> Step:
    kinds: dict[str, int] = {}
    for one in (one for member in found.members for one in member.announced):
        if one.engine is not None and one.is_of_this_release:
            kinds[one.engine] = kinds.get(one.engine, 0) + one.count
    others = sorted((count for kind, count in kinds.items() if kind != engine), reverse=True)
    told = [f"{kinds[engine]} like this machine's"] if engine in kinds else []
    told += [f"{count} of another kind" for count in others]
    if engine in kinds:
        return Step(name="cores", is_well=True, found=", ".join(told))
    next_step = (
        "Start workers with cores: harness worker ADDRESS --cores N. This machine's own are used until then."
    )
    if others:
        next_step = (
            "The largest kind computes references and calibrations; their last bits may differ from this machine's. "
            "For the same ones, start a worker here."
        )
    return Step(
        name="cores",
        is_well=False,
        found=", ".join(told) + ", none like this machine's" if told else "no worker offers any",
        next_step=next_step,
        is_needed=False,
    )

"""The devices of this machine that a target's query finds."""

from __future__ import annotations

import platform
from contextlib import closing

from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.core.target_query import TargetQuery, explain_no_match
from harness.errors import TargetError
from harness.pipeline.phones import TRUST_S, inspect_phones
from harness.targets.iphone.messages import PhoneState
from harness.targets.iphone.trouble import Trouble
from harness.targets.iphone.worker_process import PhoneFailedError, WorkerProcess


def phone_traits(phone: PhoneState, host: str) -> DeviceTraits:
    """What a query may ask of a phone that is attached to the machine called ``host``."""
    return DeviceTraits(
        kind=DeviceKind.IPHONE,
        udid=phone.udid,
        model=phone.product,
        ios=phone.ios,
        name=phone.name,
        # Only a trusted phone tells the serial number that this is known by.
        is_virtual=phone.is_virtual if phone.is_trusted else None,
        host=host,
    )


def matching_devices(query: TargetQuery) -> tuple[str, ...]:
    """The names of this machine's devices that ``query`` finds, each of a single one: ``iphone:UDID``, ``local``.

    A phone that may be meant and does not trust this machine yet raises its Trust dialog, and is waited for.

    Raises:
        TargetError: it finds none, and says of each device why not; or a phone that may be meant cannot be asked: a run
            on fewer phones than were meant would look whole.
    """
    host = platform.node()
    if query.kind is DeviceKind.LOCAL:
        return tuple("local" for _ in _matching(query, (DeviceTraits(kind=DeviceKind.LOCAL, host=host),)))
    phones = _attached_phones(query, host)
    if not phones:
        raise PhoneFailedError(Trouble.NOT_ATTACHED, "no iPhone is attached", None)
    for phone in phones:
        if phone.trouble is not None and query.is_undecided(phone_traits(phone, host)):
            raise TargetError(
                f"whether this phone is meant is not known: {phone.problem}",
                where=phone.name or phone.udid,
                next_step=f"{phone.trouble.advice} Or leave it out: … and udid!={phone.udid}",
            )
    found = _matching(query, tuple(phone_traits(phone, host) for phone in phones))
    return tuple(f"iphone:{traits.udid}" for traits in found)


def _matching(query: TargetQuery, candidates: tuple[DeviceTraits, ...]) -> tuple[DeviceTraits, ...]:
    found = tuple(candidate for candidate in candidates if query.matches(candidate))
    if not found:
        raise TargetError(
            f"no device here matches; {'; '.join(explain_no_match(query, candidates))}",
            where=str(query),
            next_step="Change the query, or attach the phone that is meant: 'harness devices' lists those here.",
        )
    return found


def _attached_phones(query: TargetQuery, host: str) -> tuple[PhoneState, ...]:
    """The attached phones; those that only trust keeps from telling what ``query`` asks were asked for it."""
    with closing(WorkerProcess()) as worker:
        phones = {phone.udid: phone for phone in inspect_phones(worker)}
        unsure = tuple(
            phone.udid
            for phone in phones.values()
            if phone.trouble is Trouble.TRUST_PENDING and query.is_undecided(phone_traits(phone, host))
        )
        if unsure:
            asked_again = inspect_phones(worker, udids=unsure, trust_s=TRUST_S)
            phones.update({phone.udid: phone for phone in asked_again})
    return tuple(phones.values())

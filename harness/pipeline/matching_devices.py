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
        TargetError: it finds none; says of each device why not.
    """
    host = platform.node()
    candidates: tuple[DeviceTraits, ...]
    if query.kind is DeviceKind.LOCAL:
        candidates = (DeviceTraits(kind=DeviceKind.LOCAL, host=host),)
    else:
        candidates = _attached_phones(query, host)
        if not candidates:
            raise PhoneFailedError(Trouble.NOT_ATTACHED, "no iPhone is attached", None)
    found = tuple(candidate for candidate in candidates if query.matches(candidate))
    if not found:
        next_step = "Change the query, or attach the phone that is meant: 'harness devices' lists those here."
        if any(_may_match(query, candidate) for candidate in candidates):
            next_step = Trouble.TRUST_PENDING.advice
        raise TargetError(
            f"no device here matches; {'; '.join(explain_no_match(query, candidates))}",
            where=str(query),
            next_step=next_step,
        )
    return tuple(f"iphone:{traits.udid}" if traits.udid else "local" for traits in found)


def _attached_phones(query: TargetQuery, host: str) -> tuple[DeviceTraits, ...]:
    """The attached phones, with the class of those that the rest of ``query`` finds."""
    with closing(WorkerProcess()) as worker:
        told = {phone.udid: phone_traits(phone, host) for phone in inspect_phones(worker)}
        unsure = tuple(udid for udid, traits in told.items() if _may_match(query, traits))
        if unsure:
            asked_again = inspect_phones(worker, udids=unsure, trust_s=TRUST_S)
            told.update({phone.udid: phone_traits(phone, host) for phone in asked_again})
    return tuple(told.values())


def _may_match(query: TargetQuery, phone: DeviceTraits) -> bool:
    """Whether it is only the class, which an untrusted phone does not tell, that keeps it out."""
    guesses = (phone.model_copy(update={"is_virtual": guess}) for guess in (True, False))
    return phone.is_virtual is None and not query.matches(phone) and any(map(query.matches, guesses))

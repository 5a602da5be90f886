"""What can be made to go wrong with a phone, as frozen values, and the small language they are written in.

    disconnect:after-bytes=1000000,for-s=2      slow-link:latency-ms=2,mib-per-s=35
    app-crash:at=sample                         locked

A fault is a kind and settings; every setting has a default, and a kind alone is a fault.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationError

from harness.core.value import Value
from harness.errors import UsageError

Event = Literal[
    "connect",
    "session",
    "install",
    "push",
    "rename",
    "tunnel",
    "instruments",
    "launch",
    "sample",
    "pull",
    "exit",
]
Seconds = Annotated[float, Field(ge=0)]
Bytes = Annotated[int, Field(ge=0)]
ThermalState = Literal["nominal", "fair", "serious", "critical"]


class Fault(Value):
    """Base of all faults; the class is the kind.

    It begins at an event, after so many bytes over the cable, or after so long; else at once. Bytes and seconds count
    from when the fault is set, or from the event where one is named too.
    """

    kind: ClassVar[str]
    # One line for the help text and the documentation.
    effect: ClassVar[str]

    at: Event | None = None
    after_bytes: Bytes | None = None
    after_s: Seconds | None = None

    @property
    def waits(self) -> bool:
        """Whether something has to come before it begins."""
        return (self.at, self.after_bytes, self.after_s) != (None, None, None)


class Moment(Fault):
    """A fault that happens once and is over; every other one lasts until it is cleared."""


class TrustPending(Fault):
    kind = "trust-pending"
    effect = "the trust dialog waits; with for-s it is accepted so long after the first request"
    for_s: Seconds | None = None


class TrustDenied(Fault):
    kind = "trust-denied"
    effect = "the person taps Don't Trust"


class Locked(Fault):
    kind = "locked"
    effect = "the screen is locked: apps stop, no files, no launching; with for-s unlocked after that long"
    for_s: Seconds | None = None


class NoDeveloperMode(Fault):
    kind = "no-developer-mode"
    effect = "Developer Mode is off"


class NoImage(Fault):
    kind = "no-image"
    effect = "no developer disk image is mounted"


class UntrustedDeveloper(Fault):
    kind = "untrusted-developer"
    effect = "apps do not launch: the developer of their signature is not trusted on the phone"


class SlowLink(Fault):
    kind = "slow-link"
    effect = "each answer comes late by the latency, and bytes flow no faster than the bandwidth"
    latency_ms: Seconds = 2.0
    mib_per_s: Annotated[float, Field(gt=0)] = 35.0


class ShortReads(Fault):
    kind = "short-reads"
    effect = "a read from a file answers with fewer bytes than it was asked for"
    at_most_bytes: Annotated[int, Field(ge=1)] = 65536


class IdleCut(Fault):
    kind = "idle-cut"
    effect = "file sessions that are idle for so long are dropped"
    idle_s: Seconds = 147.0


class DiskFull(Fault):
    kind = "disk-full"
    effect = "the phone has so many bytes free, and writes beyond them fail"
    free_bytes: Bytes = 0


class Disconnect(Moment):
    kind = "disconnect"
    effect = "the cable is pulled; with for-s it is back after that long"
    for_s: Seconds | None = None


class Freeze(Moment):
    kind = "freeze"
    effect = "every connection stays open and nothing moves; with for-s it thaws after that long"
    for_s: Seconds | None = None


class AppCrash(Moment):
    kind = "app-crash"
    effect = "the running app, or the next one, dies of a signal, and leaves a crash report"
    signal: Literal["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGTRAP"] = "SIGSEGV"


class AppHang(Moment):
    kind = "app-hang"
    effect = "the app stops where it is; with watchdog-s the system ends it so long after (0x8badf00d)"
    watchdog_s: Seconds | None = None


class Jetsam(Moment):
    kind = "jetsam"
    effect = "the system ends the app for its memory, and leaves a JetsamEvent report"


class LateCrashReports(Fault):
    kind = "late-crash-reports"
    effect = "reports appear so long after the app died"
    by_s: Seconds = 3.0


class LowBattery(Fault):
    kind = "low-battery"
    effect = "the battery is at this level, 0 to 1, and not charging"
    level: Annotated[float, Field(ge=0, le=1)] = 0.05


class LowPowerMode(Fault):
    kind = "low-power-mode"
    effect = "low-power mode is on"


class Heat(Fault):
    kind = "heat"
    effect = "the thermal state is above nominal"
    state: ThermalState = "serious"


FAULT_KINDS: dict[str, type[Fault]] = {
    fault.kind: fault
    for fault in (
        TrustPending,
        TrustDenied,
        Locked,
        NoDeveloperMode,
        NoImage,
        UntrustedDeveloper,
        SlowLink,
        ShortReads,
        IdleCut,
        DiskFull,
        Disconnect,
        Freeze,
        AppCrash,
        AppHang,
        Jetsam,
        LateCrashReports,
        LowBattery,
        LowPowerMode,
        Heat,
    )
}


def parse_fault(text: str) -> Fault:
    """The fault that ``kind:setting=value,…`` says.

    Raises:
        UsageError: an unknown kind or setting, or a value that the setting does not take.
    """
    name, _, rest = text.strip().partition(":")
    kind = FAULT_KINDS.get(name)
    if kind is None:
        raise UsageError(
            f"no such fault: {name!r}", where=text, next_step=f"Use one of {', '.join(FAULT_KINDS)}."
        )
    settings: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        setting = key.strip().replace("-", "_")
        if not equals or setting not in kind.model_fields or setting in settings:
            raise _refused(text, kind, f"{pair.strip()!r} is not one setting of {name}")
        settings[setting] = value.strip()
    try:
        return kind.model_validate_strings(settings)
    except ValidationError as error:
        first = error.errors()[0]
        setting = str(first["loc"][0]).replace("_", "-")
        raise _refused(text, kind, f"{setting}: {first['msg']}") from None


def format_fault(fault: Fault) -> str:
    """The text that ``parse_fault`` reads back as ``fault``."""
    settings = ",".join(
        f"{name.replace('_', '-')}={value}"
        for name, value in fault.model_dump(exclude_defaults=True).items()
        if value is not None
    )
    return f"{fault.kind}:{settings}" if settings else fault.kind


def settings_of(kind: type[Fault]) -> list[str]:
    """The names of a kind's settings as they are written; its own first, then those that every fault has."""
    own = [name for name in kind.model_fields if name not in Fault.model_fields]
    return [name.replace("_", "-") for name in (*own, *Fault.model_fields)]


def _refused(text: str, kind: type[Fault], problem: str) -> UsageError:
    return UsageError(problem, where=text, next_step=f"{kind.kind} takes {', '.join(settings_of(kind))}.")

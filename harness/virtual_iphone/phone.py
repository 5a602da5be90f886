"""One phone: its state, and what happens to it. The services read and change it; it knows none of them."""

from __future__ import annotations

import asyncio
import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.virtual_iphone.active_faults import ActiveFaults
from harness.virtual_iphone.apps import InstalledApps
from harness.virtual_iphone.conditions import Conditions, write_conditions
from harness.virtual_iphone.crash_reports import CrashReports
from harness.virtual_iphone.faults import (
    AppCrash,
    AppHang,
    Disconnect,
    DiskFull,
    Event,
    Fault,
    Freeze,
    Heat,
    Jetsam,
    LateCrashReports,
    Locked,
    LowBattery,
    LowPowerMode,
    Moment,
    NoDeveloperMode,
    NoImage,
    TrustPending,
    UntrustedDeveloper,
)
from harness.virtual_iphone.identity import PhoneIdentity
from harness.virtual_iphone.link import Link
from harness.virtual_iphone.pairing import Pairings
from harness.virtual_iphone.ports import ServicePorts
from harness.virtual_iphone.processes import Processes
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.services import ServiceRegistry
from harness.virtual_iphone.system_log import SystemLog

_NOMINAL_BATTERY = 0.87
DEFAULT_MEMORY_LIMIT_BYTES = 3_000_000_000
_DISK_BYTES = 128_000_000_000


@dataclass(frozen=True)
class PhoneSetup:
    """What a phone is made of. ``memory_limit_bytes`` is the footprint at which the system ends an app."""

    identity: PhoneIdentity
    folder: Path
    programs: Programs
    faults: tuple[Fault, ...] = ()
    memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES
    disk_bytes: int = _DISK_BYTES


@dataclass
class PhoneFolders:
    """Where the phone's own file systems lie on this machine."""

    root: Path
    media: Path = field(init=False)
    apps: Path = field(init=False)
    containers: Path = field(init=False)
    crashes: Path = field(init=False)
    ports: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("media", "apps", "containers", "crashes", "ports"):
            setattr(self, name, self.root / name)
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.media / "PublicStaging").mkdir(exist_ok=True)


class Phone:
    """A virtual iPhone. Lives on one event loop; every method is called there."""

    def __init__(self, setup: PhoneSetup, services: ServiceRegistry) -> None:
        self.setup = setup
        self.identity = setup.identity
        self.services = services
        self.folders = PhoneFolders(setup.folder)
        self.faults = ActiveFaults()
        self.link = Link(self.faults)
        self.log = SystemLog()
        self.pairings = Pairings(self.folders.root)
        self.apps = InstalledApps(self.folders.apps, self.folders.containers)
        self.crash_reports = CrashReports(self.identity, self.folders.crashes, self.log)
        self.processes = Processes(self)
        self.faults.on_clear(self.processes.spare)
        self.ports = ServicePorts()
        # What clients set by lockdown: (domain, key) → value.
        self.set_values: dict[tuple[str, str], Any] = {}
        # Disk images a client mounted: type → signature.
        self.mounted_images: dict[str, bytes] = {self.image_type: b"virtual developer disk image"}
        self._has_developer_mode = True
        self._unlocking: asyncio.TimerHandle | None = None
        self._trust_asked_s: float | None = None
        self.faults.on_moment(self._happen)
        self.faults.on_change(self._apply_faults)
        for fault in setup.faults:
            self.faults.add(fault)
        self._apply_faults()

    @property
    def image_type(self) -> str:
        """The kind of developer disk image this release of iOS takes."""
        return "Personalized" if self.identity.ios >= (17, 0) else "Developer"

    @property
    def has_developer_mode(self) -> bool:
        """Whether Developer Mode is on; before iOS 16 there was no such switch."""
        return self._has_developer_mode and self.faults.get(NoDeveloperMode) is None

    @property
    def has_developer_image(self) -> bool:
        return self.image_type in self.images

    @property
    def has_developer_services(self) -> bool:
        """Whether the services that come with the disk image run."""
        return self.has_developer_mode and self.has_developer_image

    @property
    def images(self) -> dict[str, bytes]:
        """The mounted disk images: type → signature."""
        return {} if self.faults.get(NoImage) is not None else self.mounted_images

    @property
    def is_locked(self) -> bool:
        return self.faults.get(Locked) is not None

    def trust_dialog_accepted(self, now_s: float) -> bool:
        """Whether the person has answered the trust dialog by ``now_s``; the first question opens it."""
        pending = self.faults.get(TrustPending)
        if pending is None:
            return True
        if self._trust_asked_s is None:
            self._trust_asked_s = now_s
        return pending.for_s is not None and now_s - self._trust_asked_s >= pending.for_s

    @property
    def trusts_developer(self) -> bool:
        """Whether apps of the installed signature may be launched."""
        return self.faults.get(UntrustedDeveloper) is None

    @property
    def conditions(self) -> Conditions:
        heat, battery = self.faults.get(Heat), self.faults.get(LowBattery)
        return Conditions(
            thermal_state=heat.state if heat else "nominal",
            low_power_mode=self.faults.get(LowPowerMode) is not None,
            battery_level=battery.level if battery else _NOMINAL_BATTERY,
            is_charging=battery is None,
        )

    @property
    def conditions_file(self) -> Path:
        """What an app process reads its conditions from."""
        return self.folders.root / "conditions.json"

    @property
    def memory_limit_bytes(self) -> int:
        return self.setup.memory_limit_bytes

    def free_bytes(self) -> int:
        """Room on the phone's disk: what the machine has, and no more than a full disk leaves."""
        free = min(shutil.disk_usage(self.folders.root).free, self.setup.disk_bytes)
        full = self.faults.get(DiskFull)
        return free if full is None else min(free, full.free_bytes)

    def take_disk(self, count: int) -> bool:
        """Whether ``count`` more bytes fit on the disk; a disk that is nearly full fills up."""
        full = self.faults.get(DiskFull)
        if full is None:
            return True
        if count > full.free_bytes:
            return False
        self.faults.add(DiskFull(free_bytes=full.free_bytes - count))
        return True

    def happened(self, event: Event) -> None:
        """Tell the faults that wait for ``event``."""
        self.faults.happened(event)

    async def stop(self) -> None:
        """End every app and every connection."""
        self.faults.clear()
        await self.processes.stop()
        self.crash_reports.stop()
        self.link.pull()

    def _apply_faults(self) -> None:
        self._apply_lock()
        late = self.faults.get(LateCrashReports)
        self.crash_reports.delay_s = late.by_s if late else 0.0
        write_conditions(self.conditions_file, self.conditions)

    def _apply_lock(self) -> None:
        locked = self.faults.get(Locked)
        if locked is None and self._unlocking is not None:
            self._unlocking.cancel()
            self._unlocking = None
        elif locked is not None and locked.for_s is not None and self._unlocking is None:
            clear = functools.partial(self.faults.clear, Locked)
            self._unlocking = asyncio.get_running_loop().call_later(locked.for_s, clear)
        # iOS suspends the app in front when the screen is locked.
        self.processes.suspend(suspended=locked is not None)

    def _happen(self, moment: Moment) -> None:
        self.log.write("faults", 0, f"fault: {moment.kind}")
        if isinstance(moment, Disconnect):
            self.link.pull()
            self._later(moment.for_s, self.link.put_back)
        elif isinstance(moment, Freeze):
            self.link.freeze()
            self._later(moment.for_s, self.link.thaw)
        elif isinstance(moment, AppCrash | AppHang | Jetsam):
            self.processes.strike(moment)

    def _later(self, delay_s: float | None, action: Callable[[], None]) -> None:
        if delay_s is not None:
            asyncio.get_running_loop().call_later(delay_s, action)

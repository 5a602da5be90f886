"""What a worker keeps open to its phone between jobs: lockdown, the runner it found, the developer services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pymobiledevice3.lockdown import UsbmuxLockdownClient

from harness import __version__
from harness.targets.iphone.checks import runner_problem
from harness.targets.iphone.device.apps import find_runner
from harness.targets.iphone.device.connect import connect, device_clock_s, is_locked
from harness.targets.iphone.device.crashes import reports_since
from harness.targets.iphone.device.developer import Developer
from harness.targets.iphone.device.files import PhoneFiles
from harness.targets.iphone.device.limits import abort
from harness.targets.iphone.messages import AppInfo, LaunchMode, Limits, Note, Report, Waiting
from harness.targets.iphone.trouble import PhoneTrouble, Trouble

_TAP_INSTEAD = (Trouble.DEVELOPER_MODE_OFF, Trouble.IMAGE_MISSING)
_LOOK_AGAIN_S = 1.0


class PhoneSession:
    """One phone, from the worker's side. Opened when it is first needed, and again after the phone went away."""

    def __init__(self, udid: str, on_note: Callable[[Note], None]) -> None:
        self.udid = udid
        self.on_note = on_note
        self.limits = Limits()
        self._client: UsbmuxLockdownClient | None = None
        self._runner: AppInfo | None = None
        self._developer: Developer | None = None
        self._tap_reason: str | None = None

    async def client(self) -> UsbmuxLockdownClient:
        """The open lockdown session.

        Raises:
            PhoneTrouble: not attached, not trusted, locked, lost or silent.
        """
        if self._client is None:
            self._client = await connect(
                self.udid,
                trust_s=self.limits.trust_s,
                on_waiting=lambda text: self.on_note(Waiting(text=text)),
            )
        return self._client

    async def runner(self) -> AppInfo:
        """The installed runner.

        Raises:
            PhoneTrouble: ``RUNNER_MISSING``, ``RUNNER_OLD``, or as ``client``.
        """
        if self._runner is None:
            found = await find_runner(await self.client())
            if found is None:
                raise PhoneTrouble(Trouble.RUNNER_MISSING, "Harness Runner is not installed on the phone")
            problem = runner_problem(found.version, found.wire_version, __version__)
            if problem:
                raise PhoneTrouble(Trouble.RUNNER_OLD, f"the runner on the phone does not fit: {problem}")
            self._runner = found
        return self._runner

    def forget_runner(self) -> None:
        """Another one may be installed now."""
        self._runner = None

    async def files(self) -> PhoneFiles:
        """A new session with the runner's files, to be entered."""
        return PhoneFiles(await self.client(), (await self.runner()).bundle_id, self.limits.answer_s)

    async def developer(self, launch: LaunchMode) -> Developer | None:
        """The developer services; ``None`` where a person has to tap the app (``tap_reason`` says why).

        Raises:
            PhoneTrouble: as ``client``; ``UNSUPPORTED_IOS`` on iOS 17.0 to 17.3.
        """
        if launch is LaunchMode.TAP:
            self._tap_reason = "asked for by --launch tap"
            return None
        if self._developer is None:
            try:
                self._developer = await Developer.open(await self.client(), self.udid, self.limits.answer_s)
            except PhoneTrouble as trouble:
                if trouble.kind not in _TAP_INSTEAD:
                    raise
                self._tap_reason = trouble.problem
        return self._developer

    @property
    def tap_reason(self) -> str:
        return self._tap_reason or ""

    async def is_locked(self) -> bool:
        return await is_locked(await self.client())

    async def clock_s(self) -> float:
        """The phone's own clock: its crash reports are dated by it, not by the host's."""
        return await device_clock_s(await self.client())

    async def reports_since(self, since_s: float, *, wait_s: float) -> tuple[Report, ...]:
        return await reports_since(
            await self.client(),
            since_s,
            (await self.runner()).executable,
            wait_s=wait_s,
            answer_s=self.limits.answer_s,
        )

    async def await_return(self) -> bool:
        """Wait for a phone that went away; whether it is back within the limit."""
        return await self._await(
            self.limits.reconnect_s, "the phone is gone: plug it in again", lambda kind: kind.is_link_gone
        )

    async def await_unlocked(self) -> bool:
        """Wait for the screen to be unlocked; whether it was within the limit."""
        return await self._await(
            self.limits.unlock_s, "unlock the phone", lambda kind: kind is Trouble.LOCKED or kind.is_link_gone
        )

    async def _await(self, limit_s: float, text: str, is_still_so: Callable[[Trouble], bool]) -> bool:
        await self.close()
        self.on_note(Waiting(text=text))
        deadline_s = time.monotonic() + limit_s
        try:
            while True:
                try:
                    if not await self.is_locked() or not is_still_so(Trouble.LOCKED):
                        await self.runner()
                        return True
                except PhoneTrouble as trouble:
                    await self.close()
                    if not is_still_so(trouble.kind):
                        raise
                if time.monotonic() >= deadline_s:
                    return False
                await asyncio.sleep(min(_LOOK_AGAIN_S, max(0.05, deadline_s - time.monotonic())))
        finally:
            self.on_note(Waiting(text=""))

    async def close(self) -> None:
        developer, self._developer = self._developer, None
        if developer is not None:
            await developer.close()
        client, self._client = self._client, None
        if client is not None:
            abort(client.service)

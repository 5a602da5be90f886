"""The target ``virtual``: a virtual iPhone of its own, so that a pipeline is tried whole with no phone at hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.core.events import TargetClass
from harness.core.jobs import Blob
from harness.core.runs import JobOutcome
from harness.pipeline.installed_programs import installed_programs
from harness.pipeline.phones import inspect_phone
from harness.targets.base import OnEvent, TargetWatcher
from harness.targets.iphone.messages import LaunchMode, Limits
from harness.targets.iphone.target import IphoneTarget
from harness.targets.iphone.worker_process import WorkerProcess
from harness.virtual_iphone.background import background_phones
from harness.virtual_iphone.phone import DEFAULT_MEMORY_LIMIT_BYTES
from harness.virtual_iphone.runner_ipa import write_runner_ipa

_TRUST_S = 30.0


class VirtualPhoneTarget:
    """An ``IphoneTarget`` with the phone that it is attached to, which runs as long as the target is open."""

    def __init__(
        self,
        ios: str,
        index: int,
        watcher: TargetWatcher,
        *,
        runner: Path | None,
        idle_limit_s: float,
        launch: LaunchMode = LaunchMode.AUTO,
        limits: Limits | None = None,
        faults: Sequence[str] = (),
        memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES,
    ) -> None:
        """``index`` counts phones from 1: the same one has the same identity in every run.

        Raises:
            UsageError: no virtual iPhone has this iOS.
            TargetError: the desktop runner or its runtime is missing.
        """
        programs = installed_programs(runner)
        self._ios = ios
        self._index = index
        self._watcher = watcher
        self._idle_limit_s = idle_limit_s
        self._launch = launch
        self._limits = limits
        self._iphone: IphoneTarget | None = None
        with ExitStack() as opening:
            folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="virtual-iphone-")))
            self.phones = opening.enter_context(
                background_phones(
                    programs,
                    ios=(ios,),
                    first_index=index - 1,
                    faults=faults,
                    memory_limit_bytes=memory_limit_bytes,
                )
            )
            self._package = write_runner_ipa(folder / "HarnessRunner.ipa", programs.runtime_version)
            self._folder = folder
            self._worker = WorkerProcess(
                environment={
                    "USBMUXD_SOCKET_ADDRESS": self.phones.usbmuxd_address,
                    # Where pymobiledevice3 keeps its own copy of pair records: of no use once the phone is gone.
                    "HOME": str(folder),
                },
                where=self.description,
            )
            opening.callback(self._worker.close)
            self._worker.start()
            self._open = opening.pop_all()

    @property
    def description(self) -> str:
        return f"virtual iPhone {self._index} (iOS {self._ios})"

    @property
    def target_class(self) -> TargetClass:
        """Never that of a phone: no verdict about one rests on it."""
        return TargetClass.VIRTUAL

    def stage(self, root: Path, job_ids: Sequence[str], place: Callable[[str], None]) -> None:
        """See ``StagesJobs``."""
        self.iphone.stage(root, job_ids, place)

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        """See ``Target.run``."""
        return self.iphone.run(root, job_id, on_event)

    def forget(self, root: Path, blobs: Sequence[Blob]) -> None:
        """See ``KeepsCopies``."""
        self.iphone.forget(root, blobs)

    @property
    def iphone(self) -> IphoneTarget:
        """The target that talks to the phone."""
        if self._iphone is None:
            (identity,) = self.phones.identities
            state = inspect_phone(identity.udid, self._worker, trust_s=_TRUST_S)
            self._iphone = IphoneTarget(
                state,
                self._worker,
                self._watcher,
                lock_folder=self._folder,
                package=self._package,
                idle_limit_s=self._idle_limit_s,
                launch=self._launch,
                limits=self._limits,
            )
            self._open.callback(self._iphone.close)
        return self._iphone

    def watch(self, watcher: TargetWatcher) -> None:
        """Tell ``watcher`` from now on; before the first job."""
        self._watcher = watcher

    def close(self) -> None:
        """End the worker and the phone."""
        self._open.close()

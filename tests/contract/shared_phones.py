"""Virtual phones that many tests share: starting one and its worker takes longer than most jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.core.events import TargetClass
from harness.core.runs import JobOutcome
from harness.pipeline.choose_target import TargetSettings, choose_target
from harness.pipeline.reach_devices import reached
from harness.pipeline.virtual_phone import VirtualPhoneTarget
from harness.targets.base import OnEvent, Target, Unwatched
from harness.targets.iphone.messages import Limits

LAUNCHING_IOS = ("16.7", "18.5", "26.1")
QUICK_LIMITS = Limits(answer_s=3, tap_s=10, reconnect_s=6, unlock_s=4, trust_s=4, report_s=4)
IDLE_LIMIT_S = 30.0
_PHONES = ("virtual:16.7#1", "virtual:16.7#2")


class SharedPhone:
    """A target that others use after it is closed."""

    def __init__(self, phone: VirtualPhoneTarget) -> None:
        self.phone = phone

    @property
    def description(self) -> str:
        return self.phone.description

    @property
    def target_class(self) -> TargetClass:
        return self.phone.target_class

    def stage(self, root: Path, job_ids: Sequence[str], place: Callable[[str], None]) -> None:
        self.phone.stage(root, job_ids, place)

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        # A run of the harness looks at the target before its first job; that is what installs the runner.
        self.phone.stage(root, [job_id], lambda placed: None)
        return self.phone.run(root, job_id, on_event)

    def close(self) -> None:
        self.phone.iphone.release()


class SharedPhones:
    """Started when first asked for, ended by ``conftest.py``."""

    _phones: dict[str, VirtualPhoneTarget] = {}  # noqa: RUF012

    @classmethod
    def target(cls, ios: str) -> SharedPhone:
        if ios not in cls._phones:
            cls._phones[ios] = VirtualPhoneTarget(
                ios, 1, Unwatched(), runner=None, idle_limit_s=IDLE_LIMIT_S, limits=QUICK_LIMITS
            )
        return SharedPhone(cls._phones[ios])

    @classmethod
    def end(cls) -> None:
        while cls._phones:
            cls._phones.popitem()[1].close()


class SharedCluster:
    """Two phones behind a cluster of this machine, as a run on several has them; the first of them is the target."""

    _held = ExitStack()
    _settings: TargetSettings | None = None

    @classmethod
    def target(cls) -> Target:
        if cls._settings is None:
            settings = TargetSettings(cache=Path(), idle_limit_s=IDLE_LIMIT_S)
            cls._settings = cls._held.enter_context(reached(_PHONES, settings))
        return choose_target(_PHONES[0], cls._settings)

    @classmethod
    def end(cls) -> None:
        cls._held.close()
        cls._settings = None

"""From the target's name in a suite or on the command line to the target.

A name may stand for several devices: ``iphone:*``, ``iphone where ios>=18`` and ``virtual:IOS:COUNT``. A run's plan
holds the name of one device, so that it is resumed where it began.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.cluster.connection import Cluster
from harness.core.runs import Plan
from harness.core.target_query_parser import is_target_query, parse_target_query
from harness.errors import UsageError
from harness.pipeline.cluster_devices import cluster_target, devices_of_cluster
from harness.pipeline.matching_devices import matching_devices
from harness.pipeline.phones import TRUST_S, find_phone, inspect_phone, list_phones
from harness.targets.base import Target, TargetWatcher, Unwatched
from harness.targets.iphone.checks import launch_route
from harness.targets.iphone.messages import LaunchMode
from harness.targets.iphone.phone_lock import lock_folder
from harness.targets.iphone.runner_package import kept_package
from harness.targets.iphone.target import IphoneTarget
from harness.targets.iphone.trouble import Trouble
from harness.targets.iphone.worker_process import PhoneFailedError, WorkerProcess
from harness.targets.local import LocalTarget, find_runtime_library
from harness.targets.replay import ReplayTarget
from harness.targets.runner_executable import runner_executable

MOST_VIRTUAL_PHONES = 16
DEFAULT_PATIENCE_S = 120.0
DEFAULT_VIRTUAL_IOS = "18.5"


@dataclass(frozen=True)
class TargetSettings:
    """What every target is made with."""

    cache: Path
    idle_limit_s: float = 120.0
    runner: Path | None = None
    launch: LaunchMode = LaunchMode.AUTO
    cluster: Cluster | None = None
    """Whose devices are meant, instead of this machine's."""
    patience_s: float = DEFAULT_PATIENCE_S
    """How long a device of a cluster that is gone is waited for."""
    watcher: TargetWatcher = field(default_factory=Unwatched)


def absolute_target(name: str, base: Path) -> str:
    """``name`` with the folder of a replayed run, which counts from ``base``, made absolute."""
    kind, _, argument = name.partition(":")
    return f"replay:{(base / argument).resolve()}" if kind == "replay" and argument else name


def devices_of(name: str, cluster: Cluster | None = None) -> tuple[str, ...]:
    """The names of the single devices that ``name`` stands for; asks for attached phones where it does not say which.

    They are those of ``cluster``, or of this machine.

    Raises:
        UsageError: there is no such target.
        TargetError: no phone is attached, or none that the name's query finds.
    """
    if cluster is not None and not name.startswith("replay:"):
        return devices_of_cluster(name, cluster)
    if is_target_query(name):
        return matching_devices(parse_target_query(name))
    kind, _, argument = name.partition(":")
    if kind == "iphone" and argument == "*":
        phones = list_phones()
        if not phones:
            raise PhoneFailedError(Trouble.NOT_ATTACHED, "no iPhone is attached", None)
        return tuple(f"iphone:{phone.udid}" for phone in phones)
    if kind == "iphone" and (argument or ":" not in name):
        # Without a UDID the target finds out itself, with the worker that it goes on with.
        return (name,)
    if kind == "virtual":
        ios, count = _virtual_phones(argument)
        return tuple(f"virtual:{ios}#{index}" for index in range(1, count + 1))
    if (kind == "local" and not argument) or (kind == "replay" and argument):
        return (name,)
    raise _unknown(name)


def phone_udid(name: str) -> str | None:
    """The UDID in ``iphone:UDID`` or of the phone that a query finds; ``None`` for ``iphone``, the only one there is.

    Raises:
        UsageError: it names no single iPhone.
        TargetError: a query finds none.
    """
    devices = devices_of(name) if is_target_query(name) else (name,)
    kind, _, argument = devices[0].partition(":")
    if kind != "iphone" or argument == "*" or len(devices) > 1:
        found = f" but {len(devices)}: {', '.join(devices)}" if len(devices) > 1 else ""
        raise UsageError(
            f"{name!r} is no single iPhone{found}",
            where="--target",
            next_step="Choose iphone, or iphone:UDID.",
        )
    return argument or None


def choose_target(name: str, settings: TargetSettings) -> Target:
    """The one device called ``name``, as ``devices_of`` names it; closed by who asked for it.

    Raises:
        UsageError: there is no such target.
        TargetError: it is known but cannot be used here.
    """
    kind, _, argument = name.partition(":")
    if settings.cluster is not None and kind != "replay":
        return cluster_target(
            name,
            settings.cluster,
            settings.watcher,
            idle_limit_s=settings.idle_limit_s,
            patience_s=settings.patience_s,
        )
    if kind == "local" and not argument:
        return LocalTarget(
            runner_executable(settings.runner), find_runtime_library(), idle_limit_s=settings.idle_limit_s
        )
    if kind == "replay" and argument:
        return ReplayTarget(Path(argument))
    if kind == "iphone" and argument != "*" and (argument or ":" not in name):
        return _iphone(argument or None, settings)
    if kind == "virtual" and "#" in argument:
        from harness.pipeline.virtual_phone import VirtualPhoneTarget

        ios, _, index = argument.partition("#")
        _refuse_unlaunchable(ios, settings.launch, name)
        return VirtualPhoneTarget(
            ios,
            int(index),
            settings.watcher,
            runner=settings.runner,
            idle_limit_s=settings.idle_limit_s,
            launch=settings.launch,
        )
    raise _unknown(name)


def target_of_run(plan: Plan, settings: TargetSettings) -> Target:
    """The device that the run was made on; closed by who asked for it.

    The cluster in ``settings`` has it where its name is that of one device: plain ``local`` and ``virtual`` are this
    machine's, whose cores alone the cluster may be asked for.

    Raises:
        TargetError: see ``choose_target``.
    """
    is_of_cluster = bool(plan.cluster) or plan.target.startswith("iphone:")
    return choose_target(plan.target, settings if is_of_cluster else replace(settings, cluster=None))


def _iphone(udid: str | None, settings: TargetSettings) -> IphoneTarget:
    worker = WorkerProcess(where=udid)
    try:
        state = inspect_phone(find_phone(udid, worker).udid, worker, trust_s=TRUST_S)
        if state.trouble is not None:
            raise PhoneFailedError(state.trouble, state.problem, state.name or state.udid)
        _refuse_unlaunchable(state.ios or "", settings.launch, state.name or state.udid)
    except BaseException:
        worker.close()
        raise
    return IphoneTarget(
        state,
        worker,
        settings.watcher,
        lock_folder=lock_folder(),
        idle_limit_s=settings.idle_limit_s,
        launch=settings.launch,
        package=kept_package(settings.cache),
    )


def _refuse_unlaunchable(ios: str, launch: LaunchMode, where: str) -> None:
    if launch is LaunchMode.AUTO and launch_route(ios) is None:
        problem = f"on iOS {ios} apps are launched only over a privileged tunnel"
        raise PhoneFailedError(Trouble.UNSUPPORTED_IOS, problem, where)


def lasting_name(name: str, target: Target) -> str:
    """``name``, but that of this very phone: so that a run is resumed on it when another one is attached."""
    return f"iphone:{target.udid}" if isinstance(target, IphoneTarget) else name


def _virtual_phones(argument: str) -> tuple[str, int]:
    ios, _, count_text = argument.partition(":")
    if not count_text and ios.isdecimal() and int(ios) < 10:
        # ``virtual:4``: no iOS is that old.
        ios, count_text = "", ios
    if count_text and not (count_text.isdecimal() and 1 <= int(count_text) <= MOST_VIRTUAL_PHONES):
        raise UsageError(
            f"{count_text!r} is no number of virtual iPhones",
            where="target",
            next_step=f"Choose 1 to {MOST_VIRTUAL_PHONES}: virtual:{DEFAULT_VIRTUAL_IOS}:4.",
        )
    return ios or DEFAULT_VIRTUAL_IOS, int(count_text or 1)


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"there is no target {name!r}",
        where="target",
        next_step="Choose local, iphone, iphone:UDID, iphone:*, 'iphone where ios>=18', virtual, virtual:IOS:COUNT, "
        "or replay:RUN.",
    )

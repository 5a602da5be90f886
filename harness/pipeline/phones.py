"""Attached phones as the command line asks about them: which there are, what they lack, installing the runner."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from harness import __version__
from harness.errors import InputError, TargetError
from harness.targets.iphone.checks import Step, phone_steps
from harness.targets.iphone.messages import (
    AllInspected,
    AppInfo,
    Attached,
    Inspect,
    InspectAll,
    Inspected,
    Install,
    Installed,
    ListPhones,
    Note,
    Phones,
    PhoneState,
    Probe,
    Transferred,
    Waiting,
)
from harness.targets.iphone.phone_lock import PhoneLock, lock_folder
from harness.targets.iphone.runner_package import check_package, keep_package
from harness.targets.iphone.trouble import Trouble
from harness.targets.iphone.worker_process import PhoneFailedError, WorkerProcess

TRUST_S = 60.0
"""How long a person has for the Trust dialog."""
_ANSWER_S = 60.0
_DIALOG_S = 1.0
"""Long enough that the Trust dialog is raised, too short to be waited for."""
_USBMUXD_ANSWERS = Step(name="usbmuxd", is_well=True, found="it answers")


def list_phones(worker: WorkerProcess | None = None) -> tuple[Attached, ...]:
    """The phones that are attached, by cable or network; asked by ``worker``, or by one of its own.

    Raises:
        TargetError: usbmuxd is absent or silent.
    """
    if worker is None:
        with closing(WorkerProcess()) as own:
            return list_phones(own)
    return worker.ask(ListPhones(), Phones, silence_limit_s=_ANSWER_S).phones


def inspect_phones(
    worker: WorkerProcess | None = None, *, udids: tuple[str, ...] | None = None, trust_s: float = 0.0
) -> tuple[PhoneState, ...]:
    """The attached phones, all or those of ``udids``, with what each says of itself; asked side by side.

    Raises:
        TargetError: usbmuxd is absent or silent.
    """
    if worker is None:
        with closing(WorkerProcess()) as own:
            return inspect_phones(own, udids=udids, trust_s=trust_s)
    request = InspectAll(udids=udids, trust_s=trust_s)
    return worker.ask(request, AllInspected, silence_limit_s=_ANSWER_S + trust_s).states


def inspect_phone(udid: str, worker: WorkerProcess | None = None, *, trust_s: float = 0.0) -> PhoneState:
    """What the phone says of itself; ``trust_s`` is how long to wait for its Trust dialog.

    Raises:
        TargetError: it is not attached.
    """
    if worker is None:
        with closing(WorkerProcess(where=udid)) as own:
            return inspect_phone(udid, own, trust_s=trust_s)
    return worker.ask(
        Inspect(udid=udid, trust_s=trust_s), Inspected, silence_limit_s=_ANSWER_S + trust_s
    ).state


def find_phone(udid: str | None, worker: WorkerProcess | None = None) -> Attached:
    """The phone with this UDID (dashes do not matter); without one, the only phone there is.

    Raises:
        TargetError: there is none, or there are several and none is named.
    """
    phones = list_phones(worker)
    if udid is not None:
        found = [phone for phone in phones if phone.udid.replace("-", "") == udid.replace("-", "")]
        if found:
            return found[0]
        raise PhoneFailedError(Trouble.NOT_ATTACHED, "no phone with this UDID is attached", udid)
    if not phones:
        raise PhoneFailedError(Trouble.NOT_ATTACHED, "no iPhone is attached", None)
    if len(phones) > 1:
        raise TargetError(
            f"{len(phones)} phones are attached: {', '.join(phone.udid for phone in phones)}",
            next_step="Name one, --target iphone:UDID, or take all of them: --target 'iphone:*'.",
        )
    return phones[0]


def phone_checks(udid: str | None) -> list[Step]:
    """The chain from usbmuxd to a runner that starts on the phone; ends with the first step that breaks it."""
    with closing(WorkerProcess()) as worker:
        try:
            phone = find_phone(udid, worker)
        except PhoneFailedError as error:
            absent = error.kind is Trouble.USBMUXD_ABSENT
            steps = [] if absent else [_USBMUXD_ANSWERS]
            name = "usbmuxd" if absent else "attached"
            return [*steps, Step(name=name, is_well=False, found=error.problem, next_step=error.next_step)]
        state = inspect_phone(phone.udid, worker, trust_s=_DIALOG_S)
        in_use: list[Step] = []
        if state.trouble is None and state.runner is not None and state.runner.version == __version__:
            lock = PhoneLock(lock_folder(), phone.udid, "harness doctor")
            try:
                # Starting the runner ends what it runs now.
                lock.acquire()
                state = worker.ask(Probe(udid=phone.udid), Inspected, silence_limit_s=_ANSWER_S).state
            except PhoneFailedError:
                raise
            except TargetError as held:
                in_use = [Step(name="in use", is_well=False, found=held.problem, next_step=held.next_step)]
            finally:
                lock.release()
    return [_USBMUXD_ANSWERS, *phone_steps(state, __version__), *in_use]


def install_runner(
    package: Path,
    udid: str | None,
    cache: Path,
    on_percent: Callable[[int], None],
    on_waiting: Callable[[str], None],
) -> tuple[PhoneState, AppInfo]:
    """Install or update the runner app on a phone; the phone, and the app as it is there now.

    A copy is kept in ``cache``: runs install it where a phone has none or another version.

    Raises:
        InputError: ``package`` is no .ipa, or not this harness's runner.
        TargetError: the phone cannot be reached or refuses the app.
    """
    problem = check_package(package)
    if problem:
        raise InputError(
            f"is the runner of another release: {problem}",
            where=str(package),
            next_step="Build the runner from this release's sources: ios_runner/README.md.",
        )

    def on_note(note: Note) -> None:
        if isinstance(note, Transferred):
            on_percent(note.done)
        elif isinstance(note, Waiting) and note.text:
            on_waiting(note.text)

    with ExitStack() as held, closing(WorkerProcess()) as worker:
        phone = find_phone(udid, worker)
        lock = PhoneLock(lock_folder(), phone.udid, "harness install")
        lock.acquire()
        held.callback(lock.release)
        installed = worker.ask(
            Install(udid=phone.udid, package=str(package.resolve())),
            Installed,
            silence_limit_s=_ANSWER_S * 5,
            on_note=on_note,
        )
        state = inspect_phone(phone.udid, worker)
    keep_package(package, cache)
    return state, installed.app

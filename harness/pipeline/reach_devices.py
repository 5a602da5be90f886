"""How the devices of a run are reached: one by itself, several of this machine through a cluster of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.installed_programs import installed_programs
from harness.pipeline.local_cluster import local_cluster
from harness.targets.iphone.messages import LaunchMode
from harness.targets.iphone.runner_package import keep_package
from harness.virtual_iphone.background import background_phones
from harness.virtual_iphone.runner_ipa import write_runner_ipa


@contextmanager
def reached(devices: Sequence[str], settings: TargetSettings) -> Iterator[TargetSettings]:
    """The settings by which each of ``devices`` (names of single devices) is reached, as long as this is open.

    Several phones of this machine are a cluster of it, virtual ones started first. Where a person taps the app, each
    phone is reached by itself: all its jobs are put there at once.

    Raises:
        TargetError: the cluster of this machine does not start.
    """
    if settings.cluster is not None or len(devices) < 2 or settings.launch is not LaunchMode.AUTO:
        yield settings
        return
    with ExitStack() as held:
        environment: dict[str, str] = {}
        its = settings
        virtual = [name for name in devices if name.startswith("virtual:")]
        if virtual:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="virtual-iphones-")))
            its = replace(settings, cache=folder)
            environment = _started(held, virtual, settings.runner, folder)
        cluster = held.enter_context(local_cluster(its, offers_phones=True, environment=environment))
        yield replace(settings, cluster=cluster)


def _started(held: ExitStack, names: Sequence[str], runner: Path | None, folder: Path) -> dict[str, str]:
    """Start the virtual phones called ``names`` (``virtual:IOS#NUMBER``, by number); how a client finds them."""
    programs = installed_programs(runner)
    releases = [name.partition(":")[2].partition("#")[0] for name in names]
    first = int(names[0].partition("#")[2])
    phones = held.enter_context(background_phones(programs, ios=releases, first_index=first - 1))
    keep_package(write_runner_ipa(folder / "HarnessRunner.ipa", programs.runtime_version), folder)
    return {
        "USBMUXD_SOCKET_ADDRESS": phones.usbmuxd_address,
        # Pair records, and locks, of phones that nobody else knows.
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }

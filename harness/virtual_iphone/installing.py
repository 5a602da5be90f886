"""Putting a package on the phone, step by step."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from harness.virtual_iphone.ipa import BadPackageError, read_package, unpack
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.runner_ipa import write_runner_ipa


async def install_package(phone: Phone, file: Path) -> AsyncGenerator[tuple[int, str], None]:
    """Install or replace the app in the .ipa ``file``; yields percent and stage as installd names them.

    Raises:
        BadPackageError: it cannot be installed; an app that was there stays.
    """
    yield 5, "CreatingStagingDirectory"
    package = await asyncio.to_thread(read_package, file)
    yield 15, "ExtractingPackage"
    with tempfile.TemporaryDirectory(dir=phone.folders.root) as folder:
        if not phone.take_disk(file.stat().st_size):
            raise BadPackageError("InsufficientStorage", "there is no room on the phone")
        bundle = await asyncio.to_thread(unpack, file, package, Path(folder))
        yield 40, "InspectingPackage"
        yield 60, "VerifyingApplication"
        for process in phone.processes.of_app(package.bundle_id):
            await phone.processes.kill(process.pid)
        yield 80, "InstallingApplication"
        phone.apps.put(package.bundle_id, bundle, is_development_signed=package.is_development_signed)
    yield 90, "GeneratingApplicationMap"
    phone.log.write("installd", 1, f"installed {package.bundle_id}")


async def install_runner(phone: Phone) -> None:
    """Install the runner app made for virtual phones."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_runner_ipa(Path(folder) / "runner.ipa", phone.setup.programs.runtime_version)
        async for _ in install_package(phone, file):
            pass

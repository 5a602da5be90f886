"""The installed apps: bundles as they were unpacked, and the data container of each."""

from __future__ import annotations

import plistlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class InstalledApp:
    """An app on the phone. ``info`` is its Info.plist; ``container`` is its HOME."""

    bundle_id: str
    bundle: Path
    container: Path
    info: dict[str, Any]
    is_development_signed: bool

    @property
    def executable_name(self) -> str:
        return str(self.info["CFBundleExecutable"])

    @property
    def executable(self) -> Path:
        return self.bundle / self.executable_name

    @property
    def bundle_on_phone(self) -> str:
        """Where the app would lie on a phone: what clients are told, instead of a folder of this machine."""
        return f"/private/var/containers/Bundle/Application/{self.bundle_id}/{self.bundle.name}"

    @property
    def executable_on_phone(self) -> str:
        return f"{self.bundle_on_phone}/{self.executable_name}"

    @property
    def shares_documents(self) -> bool:
        """Whether a host may see Documents by file sharing alone."""
        return self.info.get("UIFileSharingEnabled") is True


class InstalledApps:
    """What is installed, as the folders say: nothing is remembered beside them."""

    def __init__(self, bundles: Path, containers: Path) -> None:
        self._bundles = bundles
        self._containers = containers

    def find(self, bundle_id: str) -> InstalledApp | None:
        # A client names it: only what is here already is ever used as a path.
        return next((app for app in self if app.bundle_id == bundle_id), None)

    def __iter__(self) -> Iterator[InstalledApp]:
        for folder in sorted(self._bundles.iterdir()):
            bundle = next(iter(folder.glob("*.app")), None)
            if bundle is not None and not folder.name.startswith("."):
                yield self._read(folder.name, bundle)

    def put(self, bundle_id: str, unpacked: Path, *, is_development_signed: bool) -> InstalledApp:
        """Take over the unpacked ``Name.app``; an app of that name is replaced and keeps its container."""
        folder = self._bundles / bundle_id
        staged = self._bundles / f".{bundle_id}.installing"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        shutil.move(unpacked, staged / unpacked.name)
        if is_development_signed:
            (staged / ".development").touch()
        shutil.rmtree(folder, ignore_errors=True)
        staged.rename(folder)
        container = self._containers / bundle_id
        for name in ("Documents", "Library", "tmp"):
            (container / name).mkdir(parents=True, exist_ok=True)
        return self._read(bundle_id, folder / unpacked.name)

    def remove(self, bundle_id: str) -> None:
        """Remove the app and everything in its container."""
        app = self.find(bundle_id)
        if app is not None:
            shutil.rmtree(app.bundle.parent, ignore_errors=True)
            shutil.rmtree(app.container, ignore_errors=True)

    def _read(self, bundle_id: str, bundle: Path) -> InstalledApp:
        return InstalledApp(
            bundle_id=bundle_id,
            bundle=bundle,
            container=self._containers / bundle_id,
            info=plistlib.loads((bundle / "Info.plist").read_bytes()),
            is_development_signed=(bundle.parent / ".development").exists(),
        )

"""Reading an .ipa: a ZIP archive with one app in ``Payload``. Nothing in it can leave the folder it is put in."""

from __future__ import annotations

import lzma
import plistlib
import re
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

_BUNDLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,154}")
_LARGEST_INFO_BYTES = 1024 * 1024
LARGEST_APP_BYTES = 4 * 1024**3
_MOST_FILES = 100_000
_COPY_BYTES = 1024 * 1024
# What the ZIP reader raises for members that are damaged, encrypted or compressed as nobody knows.
_UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
)


class BadPackageError(Exception):
    """A package that cannot be installed; ``error`` is how installation_proxy names it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(frozen=True)
class Package:
    """What an .ipa says of itself."""

    bundle_id: str
    app_folder: str
    info: dict[str, Any]
    is_development_signed: bool


def read_package(file: Path) -> Package:
    """Read the Info.plist of the app in an .ipa.

    An app counts as signed for development where it carries a provisioning profile with ``get-task-allow``.

    Raises:
        BadPackageError: no archive, no app in it, or no usable Info.plist.
    """
    with _opened(file) as archive:
        names = archive.namelist()
        folders = {
            PurePosixPath(name).parts[1]
            for name in names
            if name.startswith("Payload/") and len(PurePosixPath(name).parts) > 2
        }
        apps = [folder for folder in folders if folder.endswith(".app")]
        if len(apps) != 1:
            raise BadPackageError("ApplicationVerificationFailed", f"{len(apps)} apps in Payload, not one")
        info = _info(archive, f"Payload/{apps[0]}/Info.plist")
        profile = f"Payload/{apps[0]}/embedded.mobileprovision"
        is_development_signed = profile in names and _allows_debugging(_member(archive, profile))
    bundle_id = info.get("CFBundleIdentifier")
    executable = info.get("CFBundleExecutable")
    if not isinstance(bundle_id, str) or not _BUNDLE_ID.fullmatch(bundle_id) or ".." in bundle_id:
        raise BadPackageError("MissingBundleIdentifier", "no usable CFBundleIdentifier in Info.plist")
    if not isinstance(executable, str) or PurePosixPath(executable).name != executable:
        raise BadPackageError("MissingBundleExecutable", "no usable CFBundleExecutable in Info.plist")
    return Package(bundle_id, apps[0], info, is_development_signed)


def unpack(file: Path, package: Package, folder: Path) -> Path:
    """Unpack the app's bundle into ``folder`` and return its place.

    Raises:
        BadPackageError: a member that is a link, lies outside its bundle, or is larger than it said.
    """
    with _opened(file) as archive:
        members = archive.infolist()
        if len(members) > _MOST_FILES or sum(member.file_size for member in members) > LARGEST_APP_BYTES:
            raise BadPackageError("PackageExtractionFailed", "the package is too large unpacked")
        for member in members:
            _unpack_member(archive, member, folder)
    return folder / "Payload" / package.app_folder


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path = PurePosixPath(member.filename)
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
        raise BadPackageError("PackageExtractionFailed", f"{member.filename!r} lies outside the package")
    if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)):
        raise BadPackageError("PackageExtractionFailed", f"{member.filename!r} is no file")
    place = folder.joinpath(*path.parts)
    try:
        if member.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, place.open("xb") as target:
            shutil.copyfileobj(source, target, _COPY_BYTES)
    except _UNREADABLE as error:
        raise BadPackageError("PackageExtractionFailed", f"{member.filename!r}: {error}") from error


def _opened(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (ValueError, *_UNREADABLE) as error:
        raise BadPackageError("PackageExtractionFailed", "not a ZIP archive") from error


def _info(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        info = plistlib.loads(_member(archive, name))
    except BadPackageError:
        raise
    except Exception as error:
        # The plist parsers raise whatever goes wrong in them; none of it says more than this.
        raise BadPackageError("ApplicationVerificationFailed", "Info.plist is not a plist") from error
    if not isinstance(info, dict):
        raise BadPackageError("ApplicationVerificationFailed", "Info.plist is no dictionary")
    return info


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        with archive.open(name) as source:
            data = source.read(_LARGEST_INFO_BYTES + 1)
    except (KeyError, *_UNREADABLE) as error:
        raise BadPackageError("ApplicationVerificationFailed", f"no readable {name}") from error
    if len(data) > _LARGEST_INFO_BYTES:
        raise BadPackageError("ApplicationVerificationFailed", f"{name} is too large")
    return data


def _allows_debugging(profile: bytes) -> bool:
    """A profile is a plist inside a signature; its entitlements stand there as plain text."""
    return re.search(rb"<key>get-task-allow</key>\s*<true/>", profile) is not None

#!/usr/bin/env python3
"""Fetch LiteRT for iOS by pinned URL and sha256, and wrap it for Xcode.

Three steps: download (any system), wrap each library into a framework (any system), and with Xcode's tools give
the frameworks their names and join them in Runtime/LiteRt.xcframework, which the package beside it hands to the app.
App Store Connect refuses bare dylibs, hence the frameworks. Only the standard library is used, so that any Python 3.9
or newer runs it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import plistlib
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
RUNTIME = SCRIPTS.parent / "Runtime"
PINS = SCRIPTS / "runtime_pins.json"
CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60
MINIMUM_IOS = "17.0"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"

SDK_OF_PLATFORM = {"ios_arm64": "iphoneos", "ios_sim_arm64": "iphonesimulator"}
RUNTIME_LIBRARY = "libLiteRt.dylib"
METAL_LIBRARY = "libLiteRtMetalAccelerator.dylib"


class FetchError(Exception):
    """What was wrong, where, and what to do next."""

    def __init__(self, problem: str, where: object, next_step: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = str(where)
        self.next_step = next_step

    def __str__(self) -> str:
        return f"error: {self.problem}\nwhere: {self.where}\nnext:  {self.next_step}"


@dataclass(frozen=True)
class Pin:
    """One library of one platform, as its publisher had it."""

    url: str
    platform: str
    file: str
    size_bytes: int
    sha256: str


def read_pins(path: Path) -> tuple[str, list[Pin]]:
    """LiteRT's release, and its files.

    Raises:
        FetchError: the file is missing or is not what it should be.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        pins = [
            Pin(
                url=document["url"].format(platform=entry["platform"], file=entry["file"]),
                platform=entry["platform"],
                file=entry["file"],
                size_bytes=int(entry["bytes"]),
                sha256=entry["sha256"],
            )
            for entry in document["files"]
        ]
        return str(document["release"]), pins
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise FetchError(
            f"the pins cannot be read: {problem!r}", path, "Restore the file from git."
        ) from None


def download(pin: Pin, folder: Path) -> Path:
    """The pinned file, from ``folder`` or from its URL; never anything else under its name.

    Raises:
        FetchError: no network, the file moved, or it is another one.
    """
    target = folder / f"{pin.sha256}-{pin.file}"
    if target.is_file() and _sha256(target) == pin.sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    print(f"Fetching {pin.platform}/{pin.file}, {pin.size_bytes / 1e6:.1f} MB", flush=True)
    try:
        with urllib.request.urlopen(pin.url, timeout=TIMEOUT_S) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file, CHUNK_BYTES)
    except urllib.error.HTTPError as problem:
        moved = problem.code in (404, 410)
        raise FetchError(
            f"the server answers {problem.code} ({problem.reason})" + (": the file moved" if moved else ""),
            pin.url,
            "Find the file of that sha256 in the LiteRT repository's history and mend the URL in "
            "scripts/runtime_pins.json; the sha256 stays."
            if moved
            else "Try again later.",
        ) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "reason", problem)
        raise FetchError(
            f"it cannot be fetched: {reason}",
            pin.url,
            "Check the network and its proxy (HTTPS_PROXY). Or fetch the file on another machine and put it at "
            f"{target}; it is checked there too.",
        ) from None
    _check(pin, part)
    part.replace(target)
    return target


def _check(pin: Pin, part: Path) -> None:
    found_bytes, found = part.stat().st_size, _sha256(part)
    if found == pin.sha256:
        return
    with part.open("rb") as file:
        is_pointer = file.read(len(LFS_POINTER)) == LFS_POINTER
    part.unlink()
    if is_pointer:
        raise FetchError(
            "the server gave Git LFS's pointer in place of the file",
            pin.url,
            "Use a URL of media.githubusercontent.com in scripts/runtime_pins.json.",
        )
    if found_bytes < pin.size_bytes:
        raise FetchError(
            f"only {found_bytes} of {pin.size_bytes} bytes came", pin.url, "Run it again; nothing was kept."
        )
    raise FetchError(
        f"it is not the pinned file: its sha256 is {found}, not {pin.sha256}",
        pin.url,
        "Do not use it. If LiteRT published it anew, take the new sha256 from the repository's LFS pointer, and "
        "change scripts/runtime_pins.json in a commit of its own.",
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def wrap(library: Path, framework: Path, executable: str, sdk: str, release: str) -> Path:
    """A framework folder with ``library`` as its executable; whatever stood there is replaced."""
    if framework.exists():
        shutil.rmtree(framework)
    framework.mkdir(parents=True)
    shutil.copyfile(library, framework / executable)
    (framework / executable).chmod(0o755)
    name = framework.stem
    information = {
        "CFBundleExecutable": executable,
        "CFBundleIdentifier": f"org.harness.runner.{name}",
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleName": name,
        "CFBundlePackageType": "FMWK",
        "CFBundleShortVersionString": release,
        "CFBundleSupportedPlatforms": ["iPhoneOS" if sdk == "iphoneos" else "iPhoneSimulator"],
        "CFBundleVersion": release,
        "MinimumOSVersion": MINIMUM_IOS,
    }
    with (framework / "Info.plist").open("wb") as file:
        plistlib.dump(information, file)
    return framework


def run_tool(*command: str) -> None:
    """Run one of Xcode's tools.

    Raises:
        FetchError: it is not there, or failed.
    """
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise FetchError(
            f"{command[0]} is not here: this step needs a Mac with Xcode",
            " ".join(command),
            "On a Mac install Xcode 16 or newer and run: xcode-select --install. Elsewhere use --only-download.",
        ) from None
    except subprocess.CalledProcessError as problem:
        raise FetchError(
            f"{command[0]} failed: {problem.stderr.strip() or problem.returncode}",
            " ".join(command),
            "See docs/limits.md: this step ran on no Mac so far.",
        ) from None


def name_framework(framework: Path, executable: str) -> None:
    """Give the library the install name of its place, and sign it anew: the change broke its signature."""
    binary = str(framework / executable)
    run_tool("install_name_tool", "-id", f"@rpath/{framework.name}/{executable}", binary)
    run_tool("codesign", "--force", "--sign", "-", binary)


def join_frameworks(frameworks: list[Path], xcframework: Path) -> None:
    """One xcframework of the frameworks of several platforms, which Xcode chooses from."""
    if xcframework.exists():
        shutil.rmtree(xcframework)
    parts = [word for framework in frameworks for word in ("-framework", str(framework))]
    run_tool("xcodebuild", "-create-xcframework", *parts, "-output", str(xcframework))


def prepare_runtime(pins: list[Pin], libraries: dict[Pin, Path], runtime: Path, release: str) -> None:
    """Runtime/LiteRt.xcframework, and Metal's frameworks below Runtime/metal where they were fetched."""
    frameworks = []
    for pin in pins:
        sdk = SDK_OF_PLATFORM[pin.platform]
        if pin.file == RUNTIME_LIBRARY:
            framework = wrap(
                libraries[pin], runtime / "frameworks" / sdk / "LiteRt.framework", "LiteRt", sdk, release
            )
            name_framework(framework, "LiteRt")
            frameworks.append(framework)
        else:
            # The runtime looks for the accelerator by the library's own name, so the executable keeps it.
            folder = runtime / "metal" / sdk / "LiteRtMetalAccelerator.framework"
            name_framework(wrap(libraries[pin], folder, METAL_LIBRARY, sdk, release), METAL_LIBRARY)
    join_frameworks(frameworks, runtime / "LiteRt.xcframework")
    shutil.rmtree(runtime / "frameworks")


def main(words: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(description="Fetch LiteRT for iOS, checked, and wrap it for Xcode.")
    parser.add_argument("--metal", action="store_true", help="Metal's accelerator too")
    parser.add_argument("--only-download", action="store_true", help="fetch and check, on any system")
    parser.add_argument("--pins", type=Path, default=PINS, help="another file of pins")
    parser.add_argument("--into", type=Path, default=RUNTIME, help="another folder than Runtime")
    arguments = parser.parse_args(words)
    try:
        release, every_pin = read_pins(arguments.pins)
        pins = [pin for pin in every_pin if arguments.metal or pin.file != METAL_LIBRARY]
        libraries = {pin: download(pin, arguments.into / "downloads") for pin in pins}
        print(f"LiteRT {release}: {len(pins)} files are here, and are the pinned ones")
        if not arguments.only_download:
            prepare_runtime(pins, libraries, arguments.into, release)
            print(f"Wrapped for Xcode in {arguments.into}")
    except FetchError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

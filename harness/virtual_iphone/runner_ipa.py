"""The runner app for the virtual iPhone: an .ipa like the real one, whose executable names the desktop runner."""

from __future__ import annotations

import plistlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import __version__
from harness.core.jobs import WIRE_VERSION
from harness.virtual_iphone.programs import RUNNER_PROGRAM, executable_marker

RUNNER_BUNDLE_ID = "org.harness.runner"
_APP_NAME = "HarnessRunner"


def runner_info(runtime_version: str, bundle_id: str = RUNNER_BUNDLE_ID) -> dict[str, Any]:
    """The Info.plist of the runner app: the keys by which the harness finds it and knows its version."""
    return {
        "CFBundleIdentifier": bundle_id,
        "CFBundleExecutable": _APP_NAME,
        "CFBundleName": _APP_NAME,
        "CFBundleDisplayName": "Harness Runner",
        "CFBundleShortVersionString": __version__,
        "CFBundleVersion": "1",
        "CFBundlePackageType": "APPL",
        "MinimumOSVersion": "15.0",
        "UIFileSharingEnabled": True,
        "HarnessRunnerVersion": __version__,
        "HarnessWireVersion": WIRE_VERSION,
        "HarnessRuntimeVersion": runtime_version,
    }


def write_runner_ipa(
    file: Path,
    runtime_version: str,
    *,
    bundle_id: str = RUNNER_BUNDLE_ID,
    development_signed: bool = True,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Write the runner's .ipa for the virtual iPhone; ``changes`` replace keys of its Info.plist."""
    info = runner_info(runtime_version, bundle_id) | dict(changes or {})
    return write_ipa(file, info, RUNNER_PROGRAM, development_signed=development_signed)


def write_ipa(file: Path, info: Mapping[str, Any], program: str, *, development_signed: bool = True) -> Path:
    """Write an .ipa for the virtual iPhone whose executable names one of the phone's programs."""
    name = str(info["CFBundleExecutable"])
    entitlement = b"<key>get-task-allow</key><true/>" if development_signed else b""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"Payload/{name}.app/Info.plist", plistlib.dumps(dict(info)))
        archive.writestr(f"Payload/{name}.app/{name}", executable_marker(program))
        archive.writestr(f"Payload/{name}.app/embedded.mobileprovision", entitlement)
    return file

"""What stands for an app's executable: the phone runs no code out of an .ipa, only programs that it knows itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.virtual_iphone.apps import InstalledApp
from harness.virtual_iphone.identity import PhoneIdentity

_LARGEST_MARKER_BYTES = 4096
RUNNER_PROGRAM = "harness-runner"
LISTENER_PROGRAM = "listener"


def executable_marker(program: str) -> bytes:
    """The executable of an .ipa made for the virtual iPhone: it names a program, and is none."""
    return json.dumps({"virtual_iphone_program": program}).encode()


def marked_program(executable: Path) -> str | None:
    """The program that an app's executable names; ``None`` where it is something else, such as code for iOS."""
    try:
        if executable.stat().st_size > _LARGEST_MARKER_BYTES:
            return None
        marker = json.loads(executable.read_bytes())
    except (OSError, ValueError):
        return None
    program = marker.get("virtual_iphone_program") if isinstance(marker, dict) else None
    return program if isinstance(program, str) else None


@dataclass(frozen=True)
class Programs:
    """The desktop build of the runner and its runtime, which the apps' processes are.

    Paths are absolute: processes start in their container.
    """

    runner: Path
    runtime_library: Path
    runtime_version: str

    def command(
        self, app: InstalledApp, arguments: Sequence[str], identity: PhoneIdentity, conditions_file: Path
    ) -> list[str] | None:
        """What to start for ``app`` launched with ``arguments``; ``None`` where the phone cannot run it."""
        program = marked_program(app.executable)
        makers: dict[str, Callable[[], list[str]]] = {
            RUNNER_PROGRAM: lambda: self._runner_command(app, arguments, identity, conditions_file),
            LISTENER_PROGRAM: lambda: [
                sys.executable,
                "-m",
                "harness.virtual_iphone.listener_app",
                *arguments,
            ],
        }
        return makers[program]() if program in makers else None

    def _runner_command(
        self, app: InstalledApp, arguments: Sequence[str], identity: PhoneIdentity, conditions_file: Path
    ) -> list[str]:
        """The app's arguments as the desktop runner takes them: one job by its name in the inbox; without a name, as
        when a person taps the app, all that have not ended."""
        inbox = app.container / "Documents" / "inbox"
        if len(arguments) == 2 and arguments[0] == "--run-job":
            work = ["run", str(inbox / "jobs" / Path(arguments[1]).name)]
        else:
            work = ["run-inbox", str(inbox)]
        return [
            str(self.runner),
            *work,
            "--runtime",
            str(self.runtime_library),
            "--runtime-version",
            self.runtime_version,
            "--target-class",
            "virtual",
            "--device-model",
            identity.model.product_type,
            "--os",
            "iOS",
            "--os-version",
            f"{identity.ios_version} ({identity.build})",
            "--conditions",
            str(conditions_file),
        ]

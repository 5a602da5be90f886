"""The client's own commands against the virtual iPhone: what a person types who looks at what the phone does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any


def test_the_client_launches_from_the_command_line(start_phone: Callable[..., Any]) -> None:
    # It tries lockdown first, is told that there is no such service, and builds a tunnel by itself.
    with start_phone("18.5") as phones:
        client = [sys.executable, "-m", "pymobiledevice3"]
        command = [*client, "developer", "dvt", "launch", "org.harness.runner --run-job j-1"]
        launched = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        pid = phones.call(lambda phone: phone.processes.of_app("org.harness.runner")[0].pid)
        assert launched.stdout.strip().endswith(f"Process launched with pid {pid}"), launched.stderr
        assert phones.call(lambda phone: phone.processes.find(pid).arguments) == ("--run-job", "j-1")

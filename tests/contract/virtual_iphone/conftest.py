"""A running phone for one test, and clients that see it and nothing of this machine's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.pipeline.installed_programs import installed_programs
from harness.virtual_iphone.background import BackgroundPhones, background_phones
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.runner_ipa import write_runner_ipa

StartPhones = Callable[..., BackgroundPhones]


@pytest.fixture(scope="session")
def programs() -> Programs:
    return installed_programs()


@pytest.fixture(scope="session")
def runner_ipa(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Path:
    return write_runner_ipa(tmp_path_factory.mktemp("ipa") / "runner.ipa", programs.runtime_version)


@pytest.fixture
def start_phones(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartPhones]:
    """Starts phones and points every client in this process and its children at them."""
    with ExitStack() as stack:

        def start(**options: object) -> BackgroundPhones:
            phones = stack.enter_context(background_phones(programs, **options))  # type: ignore[arg-type]
            monkeypatch.setenv("HOME", str(tmp_path))
            monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", phones.usbmuxd_address)
            return phones

        yield start

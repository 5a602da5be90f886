"""The pytest fixture ``virtual_iphones``: phones on loopback for a test, and every client of the test pointed at them.

Installed with the harness, so that a project that has it needs no more than the fixture's name. Nothing of the harness
is imported before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from harness.virtual_iphone.background import BackgroundPhones
    from harness.virtual_iphone.faults import Fault


class StartVirtualIphones(Protocol):
    """What the fixture is: called, it starts phones that run until the test ends."""

    def __call__(
        self,
        *,
        ios: Sequence[str] = ...,
        faults: Sequence[Fault | str] = ...,
        memory_limit_bytes: int | None = ...,
        install_runner: bool = ...,
    ) -> BackgroundPhones:
        """One phone for each release in ``ios``, with ``faults`` in force and the runner app installed if asked for."""


@pytest.fixture
def virtual_iphones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartVirtualIphones]:
    """Start virtual iPhones: ``virtual_iphones(ios=["18.5"], faults=["disconnect:at=push"])``.

    ``USBMUXD_SOCKET_ADDRESS`` leads clients in this process and its children to them, and ``HOME`` keeps the pair
    records that clients write out of the user's own.
    """
    from harness.pipeline.installed_programs import installed_programs
    from harness.virtual_iphone.background import background_phones
    from harness.virtual_iphone.identity import DEFAULT_IOS
    from harness.virtual_iphone.installing import install_runner as install_runner_on
    from harness.virtual_iphone.phone import DEFAULT_MEMORY_LIMIT_BYTES

    programs = installed_programs()
    with ExitStack() as stack:

        def start(
            *,
            ios: Sequence[str] = (DEFAULT_IOS,),
            faults: Sequence[Fault | str] = (),
            memory_limit_bytes: int | None = None,
            install_runner: bool = False,
        ) -> BackgroundPhones:
            limit_bytes = memory_limit_bytes or DEFAULT_MEMORY_LIMIT_BYTES
            phones = stack.enter_context(
                background_phones(programs, ios=ios, faults=faults, memory_limit_bytes=limit_bytes)
            )
            for number in range(len(ios) if install_runner else 0):
                phones.call(install_runner_on, number)
            monkeypatch.setenv("HOME", str(tmp_path))
            monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", phones.usbmuxd_address)
            return phones

        yield start

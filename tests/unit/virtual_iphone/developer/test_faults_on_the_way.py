"""The cable inside DTX and inside the tunnel: pulled, it ends every wait; frozen and thawed, it loses nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from pymobiledevice3.services.afc import AfcService
from pymobiledevice3.services.dvt.instruments.dvt_provider import DvtProvider
from pymobiledevice3.services.dvt.instruments.process_control import ProcessControl

BUNDLE_ID = "org.harness.runner"
_PATIENCE_S = 20


async def _launch(route: Callable[[], Any]) -> int:
    async with route() as provider, DvtProvider(provider) as dvt, ProcessControl(dvt) as control:
        pid = await control.launch(BUNDLE_ID, ["--run-job", "j-1"])
        assert await control.process_identifier_for_bundle_identifier(BUNDLE_ID) == pid
        return int(pid)


@pytest.mark.parametrize(
    ("ios", "event", "after_bytes"),
    [
        ("16.7", "instruments", 33),
        ("16.7", "instruments", 1500),
        ("18.5", "tunnel", 41),
        ("18.5", "instruments", 1500),
    ],
)
def test_a_pulled_cable_ends_the_wait_and_the_next_try_succeeds(
    ios: str, event: str, after_bytes: int, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    with start_phone(ios) as phones:
        phones.set_fault(f"disconnect:at={event},after-bytes={after_bytes},for-s=0")
        with pytest.raises((Exception, asyncio.CancelledError)) as broken:
            asyncio.run(asyncio.wait_for(_launch(route), _PATIENCE_S))
        # Broken off by the phone or by a limit of the client, not by the patience of this test.
        assert type(broken.value) is not TimeoutError
        assert asyncio.run(asyncio.wait_for(_launch(route), _PATIENCE_S)) > 0


@pytest.mark.parametrize(
    ("ios", "event", "after_bytes"),
    [
        ("16.7", "instruments", 700),
        ("18.5", "tunnel", 100),
        ("18.5", "tunnel", 2500),
        ("18.5", "instruments", 700),
    ],
)
def test_a_frozen_phone_goes_on_where_it_stood(
    ios: str, event: str, after_bytes: int, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    with start_phone(ios) as phones:
        phones.set_fault(f"freeze:at={event},after-bytes={after_bytes},for-s=0.4")
        started = time.monotonic()
        assert asyncio.run(asyncio.wait_for(_launch(route), _PATIENCE_S)) > 0
        assert time.monotonic() - started > 0.4


def test_a_push_through_a_tunnel_that_freezes_midway_arrives_whole(
    start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    content = bytes(range(251)) * 4000

    async def client() -> bytes:
        async with route() as discovery, AfcService(discovery) as files:
            await files.set_file_contents("/model.bin", content)
            return bytes(await files.get_file_contents("/model.bin"))

    with start_phone("18.5") as phones:
        phones.set_fault("freeze:at=tunnel,after-bytes=400000,for-s=1.5")
        assert asyncio.run(asyncio.wait_for(client(), _PATIENCE_S)) == content

"""What else a client asks a phone for: its log, crash reports, containers, ports of apps; and who may ask."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from pymobiledevice3.ca import generate_pairing_cert_chain
from pymobiledevice3.exceptions import AfcException, AppNotInstalledError, PyMobileDevice3Exception
from pymobiledevice3.lockdown import LockdownClient, create_using_usbmux
from pymobiledevice3.services.afc import AfcService
from pymobiledevice3.services.crash_reports import CrashReportsManager
from pymobiledevice3.services.heartbeat import HeartbeatService
from pymobiledevice3.services.house_arrest import HouseArrestService
from pymobiledevice3.services.notification_proxy import NotificationProxyService
from pymobiledevice3.services.os_trace import OsTraceService
from pymobiledevice3.services.power_assertion import PowerAssertionService
from pymobiledevice3.usbmux import select_device

from harness.virtual_iphone.background import BackgroundPhones
from harness.virtual_iphone.installing import install_package
from harness.virtual_iphone.lockdown_services.afc_frames import HEADER, Operation, answer
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.programs import LISTENER_PROGRAM
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID, runner_info, write_ipa, write_runner_ipa

StartPhones = Callable[..., BackgroundPhones]
PutJob = Callable[..., Path]
T = TypeVar("T")


def with_lockdown(action: Callable[[LockdownClient], Awaitable[T]]) -> T:
    async def work() -> T:
        async with await create_using_usbmux() as lockdown:
            return await asyncio.wait_for(action(lockdown), timeout=60)

    return asyncio.run(work())


def test_the_log_of_one_process_alone(start_phones: StartPhones) -> None:
    phones = start_phones()

    def write(phone: Phone) -> None:
        phone.log.write("Other", 42, "not this one")
        phone.log.write("HarnessRunner", 4711, "Zeile für Zeile ✓")

    async def follow(lockdown: LockdownClient) -> tuple[int, str, str, str]:
        async with OsTraceService(lockdown) as trace:
            lines = trace.syslog(pid=4711)
            first = asyncio.ensure_future(anext(lines))
            while not first.done():
                phones.call(write)
                await asyncio.wait([first], timeout=0.1)
            entry = first.result()
            return entry.pid, entry.image_name, entry.filename.rsplit("/", 1)[-1], entry.message

    assert with_lockdown(follow) == (4711, "HarnessRunner", "HarnessRunner", "Zeile für Zeile ✓")


def test_crash_reports_are_flushed_listed_pulled_and_parsed(
    phone_with_runner: StartPhones, put_job: PutJob, tmp_path: Path
) -> None:
    phones = phone_with_runner(faults=["app-crash:at=launch,signal=SIGBUS"])
    phones.call(put_job)

    async def crash(phone: Phone) -> int:
        return (await (await phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", "job"])).ended).pid

    pid = phones.call(crash)

    async def read(lockdown: LockdownClient) -> tuple[list[str], str]:
        async with CrashReportsManager(lockdown) as reports:
            await reports.flush()
            names = await reports.ls()
            await reports.pull(str(tmp_path), progress_bar=False)
            return names, (await reports.parse(names[0])).name

    names, process_name = with_lockdown(read)
    assert len(names) == 1 and process_name == "HarnessRunner"
    report = json.loads((tmp_path / names[0].lstrip("/")).read_text("utf-8").partition("\n")[2])
    assert (report["pid"], report["exception"]["signal"]) == (pid, "SIGBUS")


def test_a_port_of_an_app_is_reached(start_phones: StartPhones, tmp_path: Path) -> None:
    phones = start_phones(ios=["18.5", "18.5"])
    info = runner_info("2.3.0", "org.example.listener")
    package = write_ipa(tmp_path / "listener.ipa", info, LISTENER_PROGRAM)
    content = bytes(range(256)) * 4096

    async def launch(phone: Phone) -> None:
        async for _ in install_package(phone, package):
            pass
        await phone.processes.launch("org.example.listener", ["8080"])
        while not (phone.folders.ports / "8080").exists():
            await asyncio.sleep(0.02)

    async def echo(udid: str) -> bytes:
        device = await select_device(udid)
        assert device is not None
        reader, writer = await asyncio.open_connection(sock=await device.connect(8080))
        writer.write(content)
        answer = await reader.readexactly(len(content))
        writer.close()
        return answer

    phones.call(launch, 1)
    assert asyncio.run(echo(phones.identities[1].udid)) == content
    with pytest.raises(PyMobileDevice3Exception):
        asyncio.run(echo(phones.identities[0].udid))


def test_the_small_services_answer(start_phones: StartPhones) -> None:
    phones = start_phones()

    async def ask(lockdown: LockdownClient) -> str | None:
        await HeartbeatService(lockdown).start(interval=0)
        async with (
            PowerAssertionService(lockdown) as power,
            power.create_power_assertion("PreventUserIdleSystemSleep", "test", 10),
        ):
            pass
        async with NotificationProxyService(lockdown) as notifications:
            await notifications.notify_register_dispatch("org.example.news")
            await notifications.notify_post("org.example.news")
            async for event in notifications.receive_notification():
                return event.name
        return None

    assert with_lockdown(ask) == "org.example.news"
    lines = [line.message for line in phones.call(lambda phone: phone.log.lines())]
    assert "assertion PreventUserIdleSystemSleep" in lines


@pytest.mark.parametrize(("development_signed", "whole"), [(True, True), (False, False)])
def test_the_whole_container_is_for_development_only(
    start_phones: StartPhones, tmp_path: Path, development_signed: bool, whole: bool
) -> None:
    phones = start_phones()
    package = write_runner_ipa(tmp_path / "app.ipa", "2.3.0", development_signed=development_signed)

    async def install(phone: Phone) -> None:
        async for _ in install_package(phone, package):
            pass

    async def look(lockdown: LockdownClient) -> tuple[list[str] | None, list[str]]:
        container = None
        try:
            async with await HouseArrestService.create(lockdown, RUNNER_BUNDLE_ID) as house:
                container = await house.listdir("/")
        except PyMobileDevice3Exception as error:
            assert "InstallationLookupFailed" in str(error)
        async with await HouseArrestService.create(lockdown, RUNNER_BUNDLE_ID, documents_only=True) as house:
            for outside in ("/", "/Library", "/Documents/../Library", "/Documents/../../.."):
                with pytest.raises(AfcException):
                    await house.listdir(outside)
            return container, await house.listdir("/Documents")

    phones.call(install)
    container, documents = with_lockdown(look)
    assert (container, documents) == (["Documents", "Library", "tmp"] if whole else None, [])


def test_an_app_that_is_not_there(start_phones: StartPhones) -> None:
    start_phones()

    async def look(lockdown: LockdownClient) -> None:
        for name in ("org.example.none", "../media", ""):
            with pytest.raises(AppNotInstalledError):
                await HouseArrestService.create(lockdown, name, documents_only=True)

    with_lockdown(look)


def test_a_service_is_closed_to_who_shows_no_certificate_or_another_ones(
    start_phones: StartPhones, tmp_path: Path
) -> None:
    """TLS is what keeps a stranger out: a port that lockdown opened is no use without the host's key."""
    start_phones()

    async def knock(lockdown: LockdownClient, certificate: Path | None) -> bytes:
        attributes = await lockdown.get_service_connection_attributes("com.apple.afc")
        device = await select_device()
        assert device is not None
        connection = await device.connect(attributes["Port"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate is not None:
            context.load_cert_chain(certificate)
        try:
            reader, writer = await asyncio.open_connection(sock=connection, ssl=context, server_hostname="")
            with contextlib.closing(writer):
                writer.write(answer(Operation.GET_DEVICE_INFO, 1))
                return await reader.readexactly(HEADER.size)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            return b""

    async def work(lockdown: LockdownClient) -> tuple[bytes, bytes, bytes]:
        record = lockdown.pair_record
        assert record is not None
        (tmp_path / "host.pem").write_bytes(record["HostCertificate"] + b"\n" + record["HostPrivateKey"])
        stranger = _stranger(lockdown, tmp_path)
        async with AfcService(lockdown) as afc:
            await afc.listdir("/")
        return (
            await knock(lockdown, None),
            await knock(lockdown, stranger),
            await knock(lockdown, tmp_path / "host.pem"),
        )

    nobody, stranger, host = with_lockdown(work)
    assert (nobody, stranger) == (b"", b"")
    assert host.startswith(b"CFA6LPAA")


def _stranger(lockdown: LockdownClient, folder: Path) -> Path:
    """Certificate and key of a host that the phone never met; its empty names and numbers are those of the other."""
    assert lockdown.device_public_key is not None
    certificate, key, *_ = generate_pairing_cert_chain(lockdown.device_public_key)
    (folder / "stranger.pem").write_bytes(certificate + b"\n" + key)
    return folder / "stranger.pem"

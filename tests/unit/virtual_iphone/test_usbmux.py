"""usbmuxd's frames, as clients and others send them."""

from __future__ import annotations

import asyncio
import plistlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.virtual_iphone import usbmux_frames as frames
from harness.virtual_iphone.identity import phone_identity
from harness.virtual_iphone.phone import PhoneSetup
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.virtual_phones import VirtualPhones


def request(message: object, tag: int = 1) -> bytes:
    payload = plistlib.dumps(message)
    return struct.pack("<4I", 16 + len(payload), 1, 8, tag) + payload


def answers(data: bytes) -> list[tuple[int, dict[str, object]]]:
    """Tag and message of each frame."""
    found = []
    while data:
        length, version, kind, tag = struct.unpack_from("<4I", data)
        assert (version, kind) == (1, 8)
        found.append((tag, plistlib.loads(data[16:length])))
        data = data[length:]
    return found


def ask(folder: Path, *sent: bytes) -> list[list[tuple[int, dict[str, object]]]]:
    """What the daemon answers on one connection for each of ``sent``."""

    async def work() -> list[list[tuple[int, dict[str, object]]]]:
        nowhere = Path("/nonexistent")
        identity = phone_identity("18.5")
        setup = PhoneSetup(identity, folder / identity.udid, Programs(nowhere, nowhere, "0"))
        async with VirtualPhones([setup], folder) as phones:
            host, port = phones.usbmuxd_address.split(":")
            found = []
            for data in sent:
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(data)
                writer.write_eof()
                found.append(answers(await asyncio.wait_for(reader.read(-1), 30)))
                writer.close()
            return found

    return asyncio.run(work())


def test_devices_are_listed_and_listened_for(tmp_path: Path) -> None:
    listed, listening = ask(
        tmp_path, request({"MessageType": "ListDevices"}, 7), request({"MessageType": "Listen"}, 8)
    )
    ((tag, message),) = listed
    (device,) = message["DeviceList"]  # type: ignore[misc]
    assert tag == 7
    assert device["Properties"]["SerialNumber"] == phone_identity("18.5").udid
    assert device["Properties"]["ConnectionType"] == "USB"
    assert listening == [(8, {"MessageType": "Result", "Number": 0}), (0, device)]


def test_who_listens_is_told_of_a_pulled_cable_and_of_its_return(tmp_path: Path) -> None:
    async def work() -> list[dict[str, object]]:
        nowhere = Path("/nonexistent")
        identity = phone_identity("18.5")
        setup = PhoneSetup(identity, tmp_path / identity.udid, Programs(nowhere, nowhere, "0"))
        async with VirtualPhones([setup], tmp_path) as phones:
            host, port = phones.usbmuxd_address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request({"MessageType": "Listen"}))
            heard = []
            for step in (None, None, phones.phones[0].link.pull, phones.phones[0].link.put_back):
                if step is not None:
                    step()
                (length,) = struct.unpack("<I", await reader.readexactly(4))
                heard.append(plistlib.loads((await reader.readexactly(length - 4))[12:]))
            writer.close()
            return heard

    _, attached, detached, again = asyncio.run(work())
    assert detached == {"MessageType": "Detached", "DeviceID": attached["DeviceID"]}
    # As a real usbmuxd numbers it: who kept the old number must look again.
    assert (again["MessageType"], again["DeviceID"] == attached["DeviceID"]) == ("Attached", False)


def test_pair_records_are_kept_for_phones_that_are_here_only(tmp_path: Path) -> None:
    udid = phone_identity("18.5").udid
    record = plistlib.dumps({"HostID": "A"})
    outside = {"MessageType": "SavePairRecord", "PairRecordID": "../../escaped", "PairRecordData": record}
    (results,) = ask(
        tmp_path,
        request({"MessageType": "ReadPairRecord", "PairRecordID": udid})
        + request({"MessageType": "SavePairRecord", "PairRecordID": udid, "PairRecordData": record})
        + request({"MessageType": "ReadPairRecord", "PairRecordID": udid})
        + request(outside)
        + request({"MessageType": "SavePairRecord", "PairRecordID": udid, "PairRecordData": b"no plist"})
        + request({"MessageType": "DeletePairRecord", "PairRecordID": udid})
        + request({"MessageType": "ReadPairRecord", "PairRecordID": udid}),
    )
    told = [message.get("Number", message.get("PairRecordData")) for _, message in results]
    assert told == [2, 0, record, 2, 1, 0, 2]
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ({"MessageType": "Connect", "DeviceID": 9, "PortNumber": 1}, 2),
        ({"MessageType": "Connect", "DeviceID": 1, "PortNumber": 1}, 3),
        ({"MessageType": "Connect", "DeviceID": 1, "PortNumber": "x"}, 3),
        ({"MessageType": "Connect", "DeviceID": 1, "PortNumber": 1 << 40}, 3),
        ({"MessageType": "Connect"}, 2),
        ({"MessageType": "Explode"}, 1),
    ],
)
def test_what_cannot_be_done_has_a_result(tmp_path: Path, message: object, number: int) -> None:
    assert ask(tmp_path, request(message)) == [[(1, {"MessageType": "Result", "Number": number})]]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x10",
        struct.pack("<4I", 16, 1, 8, 1),
        struct.pack("<4I", 15, 1, 8, 1),
        struct.pack("<4I", 0xFFFFFFFF, 1, 8, 1),
        struct.pack("<4I", 20, 0, 8, 1) + b"abcd",
        struct.pack("<4I", 20, 1, 8, 1) + b"abcd",
        request(["no dictionary"]),
        request({"MessageType": 5}),
        request({"MessageType": "Listen"})[:-5],
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_ends_its_own_connection_alone(tmp_path: Path, data: bytes) -> None:
    refused, listed = ask(tmp_path, data, request({"MessageType": "ListDevices"}))
    assert len(refused) <= 1
    assert len(listed) == 1


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80))
def test_any_payload_is_a_request_or_refused(payload: bytes) -> None:
    header = struct.pack("<4I", 16 + len(payload), 1, 8, 3)
    assert frames.payload_bytes(header) == len(payload)
    try:
        parsed = frames.parse_request(header, payload)
    except frames.BadFrameError:
        return
    assert isinstance(parsed.message["MessageType"], str)

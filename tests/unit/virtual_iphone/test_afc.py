"""AFC's packets and what a hostile client can do with them: nothing outside the folder, nothing to the phone."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.virtual_iphone.faults import DiskFull
from harness.virtual_iphone.lockdown_services import afc_frames as frames
from harness.virtual_iphone.lockdown_services.afc import serve_media
from harness.virtual_iphone.lockdown_services.afc_frames import Operation, Status
from harness.virtual_iphone.lockdown_services.confined_paths import ConfinedFolder

Converse = Callable[..., bytes]
_READ, _READ_WRITE, _WRITE, _APPEND = 1, 2, 3, 5


def packet(operation: int, arguments: bytes = b"", data: bytes = b"", number: int = 0) -> bytes:
    """As a client builds it, from the protocol and not with the phone's own encoder."""
    this = 40 + len(arguments)
    return struct.pack("<8s4Q", b"CFA6LPAA", this + len(data), this, number, operation) + arguments + data


def word(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def path(*names: str) -> bytes:
    return b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in names)


def answers(data: bytes) -> list[tuple[int, bytes]]:
    """Operation and content of each answer."""
    found = []
    while data:
        magic, entire, this, _, operation = struct.unpack_from("<8s4Q", data)
        assert magic == b"CFA6LPAA" and 40 <= this <= entire <= len(data)
        found.append((operation, data[40:entire]))
        data = data[entire:]
    return found


def statuses(data: bytes) -> list[int]:
    """The status of each answer; an answer with data is a success."""
    return [
        struct.unpack("<Q", content)[0] if operation == Operation.STATUS else 0
        for operation, content in answers(data)
    ]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("not for clients")
    return tmp_path / "secret"


def test_a_file_is_written_in_places_and_read_back(converse: Converse) -> None:
    sent = [
        packet(Operation.MAKE_DIR, path("/a/b/c")),
        packet(Operation.FILE_OPEN, word(_WRITE) + path("/a/b/c/file")),
        packet(Operation.FILE_WRITE, word(1), b"0123456789"),
        packet(Operation.FILE_SEEK, word(1, os.SEEK_SET, 4)),
        packet(Operation.FILE_WRITE, word(1), b"four"),
        packet(Operation.FILE_SEEK, word(1, os.SEEK_END, 2**64 - 1)),
        packet(Operation.FILE_TELL, word(1)),
        packet(Operation.FILE_SET_SIZE, word(1, 9)),
        packet(Operation.FILE_CLOSE, word(1)),
        packet(Operation.FILE_OPEN, word(_APPEND) + path("a//b/./c/../c/file")),
        packet(Operation.FILE_WRITE, word(2), b"!"),
        packet(Operation.FILE_CLOSE, word(2)),
        packet(Operation.FILE_OPEN, word(_READ) + path("/a/b/c/file")),
        packet(Operation.FILE_READ, word(3, 1000)),
        packet(Operation.FILE_WRITE, word(3), b"x"),
        packet(Operation.FILE_READ, word(3, 1000)),
        packet(Operation.RENAME_PATH, path("/a/b/c/file", "/a/moved")),
        packet(Operation.READ_DIR, path("/a")),
        packet(Operation.REMOVE_PATH, path("/a")),
        packet(Operation.REMOVE_PATH_AND_CONTENTS, path("/a")),
        packet(Operation.READ_DIR, path("/a")),
    ]
    found = answers(converse(serve_media, b"".join(sent)))
    assert [operation for operation, _ in found[:2]] == [Operation.STATUS, Operation.FILE_OPEN_RESULT]
    assert found[6] == (Operation.FILE_TELL_RESULT, word(9))
    assert found[13] == (Operation.DATA, b"0123four8!")
    assert found[14] == (Operation.STATUS, word(Status.INVALID_ARGUMENT))
    assert found[15] == (Operation.DATA, b"")
    assert found[17] == (Operation.DATA, b".\0..\0b\0moved\0")
    assert [struct.unpack("<Q", content)[0] for _, content in found[18:]] == [
        Status.DIR_NOT_EMPTY,
        Status.SUCCESS,
        Status.OBJECT_NOT_FOUND,
    ]


def test_what_is_told_of_a_file(converse: Converse) -> None:
    mtime_ns = 1_700_000_000_123_456_789
    sent = [
        packet(Operation.FILE_OPEN, word(_WRITE) + path("/file")),
        packet(Operation.FILE_WRITE, word(1), b"12345"),
        packet(Operation.FILE_CLOSE, word(1)),
        packet(Operation.SET_FILE_TIME, word(mtime_ns) + path("/file")),
        packet(Operation.MAKE_LINK, word(2) + path("file", "/link")),
        packet(Operation.GET_FILE_INFO, path("/file")),
        packet(Operation.GET_FILE_INFO, path("/link")),
        packet(Operation.GET_FILE_INFO, path("/none")),
        packet(Operation.GET_DEVICE_INFO),
    ]
    found = answers(converse(serve_media, b"".join(sent), faults=(DiskFull(free_bytes=4096),)))
    texts = [content.decode().split("\0") for _, content in found[5:7] + found[8:]]
    file, link, device = (dict(zip(text[::2], text[1::2], strict=False)) for text in texts)
    assert (file["st_size"], file["st_ifmt"], file["st_mtime"]) == ("5", "S_IFREG", str(mtime_ns))
    assert (link["st_ifmt"], link["LinkTarget"]) == ("S_IFLNK", "file")
    assert found[7] == (Operation.STATUS, word(Status.OBJECT_NOT_FOUND))
    assert (device["Model"], device["FSFreeBytes"]) == ("iPhone16,2", str(4096 - 5))


@pytest.mark.parametrize(
    "name",
    ["../../secret", "/../../secret", "PublicStaging/../../../secret", "/./../../secret", "//..//..//secret"],
)
@pytest.mark.parametrize(
    "operation",
    [
        Operation.READ_DIR,
        Operation.GET_FILE_INFO,
        Operation.REMOVE_PATH,
        Operation.REMOVE_PATH_AND_CONTENTS,
        Operation.MAKE_DIR,
    ],
)
def test_no_path_leads_outside(converse: Converse, secret: Path, operation: Operation, name: str) -> None:
    assert statuses(converse(serve_media, packet(operation, path(name)))) == [Status.PERMISSION_DENIED]
    assert secret.read_text() == "not for clients"


def test_no_link_leads_outside(converse: Converse, secret: Path, phone_folder: Path) -> None:
    (phone_folder / "media").mkdir(parents=True)
    # As if an app had made it: the client itself cannot.
    (phone_folder / "media" / "planted").symlink_to(secret)
    (phone_folder / "media" / "planted_folder").symlink_to(secret.parent)
    sent = [
        packet(Operation.MAKE_LINK, word(2) + path("../../secret", "/link")),
        packet(Operation.MAKE_LINK, word(2) + path("/../../secret", "/link")),
        packet(Operation.MAKE_LINK, word(1) + path("../../secret", "/link")),
        packet(Operation.MAKE_LINK, word(7) + path("x", "/link")),
        packet(Operation.FILE_OPEN, word(_READ) + path("/planted")),
        packet(Operation.FILE_OPEN, word(_READ_WRITE) + path("/planted_folder/secret")),
        packet(Operation.RENAME_PATH, path("/planted_folder/secret", "/mine")),
        packet(Operation.RENAME_PATH, path("/planted", "/planted_folder/elsewhere")),
        packet(Operation.TRUNCATE, word(0) + path("/planted")),
        packet(Operation.REMOVE_PATH_AND_CONTENTS, path("/planted_folder/secret")),
        packet(Operation.REMOVE_PATH_AND_CONTENTS, path("/planted_folder")),
    ]
    denied = Status.PERMISSION_DENIED
    assert statuses(converse(serve_media, b"".join(sent))) == [
        denied,
        denied,
        denied,
        Status.INVALID_ARGUMENT,
        *([denied] * 6),
        Status.SUCCESS,
    ]
    assert secret.read_text() == "not for clients"
    assert not (phone_folder / "media" / "planted_folder").is_symlink()


def test_the_root_stays(converse: Converse, phone_folder: Path) -> None:
    sent = packet(Operation.REMOVE_PATH_AND_CONTENTS, path("/")) + packet(
        Operation.RENAME_PATH, path("/", "/PublicStaging/x")
    )
    assert statuses(converse(serve_media, sent)) == [Status.PERMISSION_DENIED] * 2
    assert (phone_folder / "media" / "PublicStaging").is_dir()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (packet(Operation.FILE_READ, word(99, 10)), Status.INVALID_ARGUMENT),
        (packet(Operation.FILE_WRITE, word(99), b"lost"), Status.INVALID_ARGUMENT),
        (packet(Operation.FILE_CLOSE, word(99)), Status.INVALID_ARGUMENT),
        (packet(Operation.FILE_OPEN, word(77) + path("/x")), Status.INVALID_ARGUMENT),
        (packet(Operation.FILE_OPEN, word(_READ) + path("/PublicStaging")), Status.OBJECT_IS_DIR),
        (packet(Operation.FILE_OPEN, word(_READ) + path("/none")), Status.OBJECT_NOT_FOUND),
        (packet(Operation.MAKE_DIR, path("/" + "n" * 300)), Status.INVALID_ARGUMENT),
        (packet(Operation.TRUNCATE, word(2**63) + path("/PublicStaging")), Status.INVALID_ARGUMENT),
        (packet(0x55), Status.NOT_SUPPORTED),
        (packet(Operation.SET_CONNECTION_OPTIONS), Status.SUCCESS),
    ],
)
def test_what_cannot_be_done_has_a_status(converse: Converse, sent: bytes, status: Status) -> None:
    assert statuses(converse(serve_media, sent)) == [status]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"CFA6",
        b"X" * 40,
        struct.pack("<8s4Q", b"CFA6LPAA", 39, 39, 0, 3),
        struct.pack("<8s4Q", b"CFA6LPAA", 40, 48, 0, 3),
        struct.pack("<8s4Q", b"CFA6LPAA", 2**63, 2**63, 0, 3),
        struct.pack("<8s4Q", b"CFA6LPAA", 2**40, 40, 0, Operation.READ_DIR),
        packet(Operation.READ_DIR),
        packet(Operation.RENAME_PATH, path("/only one")[:-1]),
        packet(Operation.FILE_OPEN, b"\x01"),
        packet(Operation.FILE_WRITE, b""),
        packet(Operation.FILE_READ, word(1)),
        packet(Operation.READ_DIR, path("/"))[:-1],
    ],
)
def test_what_is_no_packet_ends_the_connection(converse: Converse, sent: bytes) -> None:
    assert converse(serve_media, sent) == b""


def test_a_cut_off_write_keeps_what_arrived(converse: Converse, phone_folder: Path) -> None:
    opened = packet(Operation.FILE_OPEN, word(_WRITE) + path("/cut"))
    converse(serve_media, opened + packet(Operation.FILE_WRITE, word(1), bytes(1000))[:-1])
    assert (phone_folder / "media" / "cut").stat().st_size == 999


def test_handles_run_out_before_the_machine_does(converse: Converse) -> None:
    opened = packet(Operation.FILE_OPEN, word(_WRITE) + path("/file"))
    assert statuses(converse(serve_media, opened * 300))[254:258] == [0, 0, 3, 3]


@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=40, max_size=40) | st.binary(min_size=32, max_size=32).map(lambda b: b"CFA6LPAA" + b)
)
def test_any_header_is_read_or_refused(data: bytes) -> None:
    try:
        header = frames.parse_header(data)
    except frames.BadPacketError:
        return
    assert 0 <= header.arguments_bytes <= frames.LARGEST_ARGUMENTS_BYTES
    assert header.data_bytes >= 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "", "a", "Documents", "../..", "\udc80"]), max_size=8))
def test_any_path_stays_inside_or_is_refused(names: list[str]) -> None:
    folder = ConfinedFolder(Path("/nowhere/root"), only="Documents")
    try:
        place = folder.entry("/".join(names))
    except PermissionError:
        return
    assert place == folder.top or folder.top in place.parents
    assert ".." not in place.parts

"""Lockdown and the services that speak in plists, by what a client or a stranger sends."""

from __future__ import annotations

import contextlib
import plistlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service_conversation import converse as converse_with

from harness.virtual_iphone.faults import NoDeveloperMode, TrustDenied
from harness.virtual_iphone.lockdown import serve_lockdown
from harness.virtual_iphone.lockdown_services.diagnostics_relay import serve_diagnostics_relay
from harness.virtual_iphone.lockdown_services.house_arrest import serve_house_arrest
from harness.virtual_iphone.lockdown_services.image_mounter import serve_image_mounter
from harness.virtual_iphone.lockdown_services.installation_proxy import serve_installation_proxy
from harness.virtual_iphone.lockdown_services.log_frames import log_record
from harness.virtual_iphone.lockdown_services.log_services import serve_os_trace_relay
from harness.virtual_iphone.lockdown_services.notification_proxy import serve_notification_proxy
from harness.virtual_iphone.plist_frames import parse_plist
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID, write_runner_ipa
from harness.virtual_iphone.services import Handler
from harness.virtual_iphone.streams import ProtocolViolationError
from harness.virtual_iphone.system_log import LogLine

Converse = Callable[..., bytes]
_PLIST_SERVICES = [
    serve_lockdown,
    serve_installation_proxy,
    serve_house_arrest,
    serve_image_mounter,
    serve_diagnostics_relay,
    serve_notification_proxy,
    serve_os_trace_relay,
]


def framed(*messages: Any) -> bytes:
    """As a client builds them."""
    payloads = [plistlib.dumps(message) for message in messages]
    return b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads)


def answers(data: bytes) -> list[dict[str, Any]]:
    found = []
    while data:
        (length,) = struct.unpack_from(">I", data)
        found.append(plistlib.loads(data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def lockdown(converse: Converse, *requests: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    return answers(converse(serve_lockdown, framed(*requests), **options))


def test_a_stranger_learns_little(converse: Converse) -> None:
    everything, battery, disk, key = lockdown(
        converse,
        {"Request": "GetValue"},
        {"Request": "GetValue", "Domain": "com.apple.mobile.battery"},
        {"Request": "GetValue", "Domain": "com.apple.disk_usage", "Key": "TotalDataAvailable"},
        {"Request": "GetValue", "Key": "SerialNumber"},
    )
    assert everything["Value"]["ProductType"] == "iPhone16,2"
    assert everything["Value"]["DevicePublicKey"].startswith(b"-----BEGIN RSA PUBLIC KEY-----")
    assert not {"SerialNumber", "UniqueChipID", "BoardId"} & set(everything["Value"])
    assert [answer["Error"] for answer in (battery, disk, key)] == [
        "GetProhibited",
        "GetProhibited",
        "MissingValue",
    ]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"Request": "StartService", "Service": "com.apple.afc"}, "InvalidConnection"),
        ({"Request": "SetValue", "Key": "DeviceName", "Value": "mine"}, "SetProhibited"),
        ({"Request": "StartSession", "HostID": "nobody"}, "InvalidHostID"),
        ({"Request": "StartSession", "HostID": ["no", "text"]}, "InvalidHostID"),
        ({"Request": "StartSession"}, "InvalidHostID"),
        ({"Request": "ValidatePair", "PairRecord": "x"}, "InvalidHostID"),
        ({"Request": "Unpair"}, "InvalidHostID"),
        ({"Request": "Pair"}, "InvalidPairRecord"),
        ({"Request": "Pair", "PairRecord": {"HostID": "A"}}, "InvalidPairRecord"),
        (
            {
                "Request": "Pair",
                "PairRecord": {
                    "HostID": "A",
                    "DeviceCertificate": b"x",
                    "HostCertificate": b"y",
                    "RootCertificate": b"z",
                },
            },
            "InvalidPairRecord",
        ),
        ({"Request": "Explode"}, "InvalidRequest"),
        ({"Request": {"nested": 1}}, "InvalidRequest"),
        ({}, "InvalidRequest"),
    ],
)
def test_what_lockdown_refuses(converse: Converse, request_: dict[str, Any], error: str) -> None:
    (refused, still_there) = lockdown(converse, request_, {"Request": "QueryType"})
    assert (refused["Result"], refused["Error"]) == ("Failure", error)
    assert still_there["Type"] == "com.apple.mobile.lockdown"


def test_a_person_who_does_not_trust_the_host(converse: Converse) -> None:
    (refused,) = lockdown(converse, {"Request": "Pair", "PairRecord": {}}, faults=(TrustDenied(),))
    assert refused["Error"] == "UserDeniedPairing"


@pytest.mark.parametrize("service", _PLIST_SERVICES)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        struct.pack(">I", 0),
        struct.pack(">I", 2**32 - 1),
        struct.pack(">I", 10) + b"too short",
        struct.pack(">I", 9) + b"not plist",
        framed(["a list"]),
        framed({"Request": "GetValue"})[:-3],
        b"GET / HTTP/1.1\r\nHost: phone\r\n\r\n",
    ],
)
def test_what_is_no_request_ends_the_connection(converse: Converse, service: Handler, data: bytes) -> None:
    assert converse(service, data) == b""


_VALUES = st.recursive(
    st.none().map(lambda _: "text")
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "HostID"]), inner, max_size=2)
    ),
    max_leaves=4,
)
_KEYS = [
    "Command",
    "Request",
    "PackagePath",
    "ClientOptions",
    "Identifier",
    "ImageType",
    "Domain",
    "Key",
    "Name",
]
_WORDS = [
    "Lookup",
    "Install",
    "VendDocuments",
    "LookupImage",
    "MountImage",
    "ReceiveBytes",
    "Pair",
    "GetValue",
]


@settings(max_examples=60, deadline=None)
@given(
    service=st.sampled_from(_PLIST_SERVICES),
    message=st.dictionaries(st.sampled_from(_KEYS), _VALUES | st.sampled_from(_WORDS), max_size=5),
)
def test_any_request_is_answered_or_refused(
    tmp_path_factory: pytest.TempPathFactory, service: Handler, message: dict[str, Any]
) -> None:
    try:
        data = framed(message)
    except (OverflowError, ValueError, TypeError):
        return
    converse_with(tmp_path_factory.mktemp("phone"), service, data)


def staged(phone_folder: Path) -> None:
    (phone_folder / "media" / "PublicStaging").mkdir(parents=True)
    write_runner_ipa(phone_folder / "media" / "PublicStaging" / "runner.ipa", "2.3.0")


def test_an_app_is_installed_looked_up_and_removed(converse: Converse, phone_folder: Path) -> None:
    staged(phone_folder)
    attributes = {"ReturnAttributes": ["CFBundleIdentifier", "HarnessWireVersion", "ApplicationType"]}
    sent = framed(
        {"Command": "Install", "PackagePath": "PublicStaging/runner.ipa", "ClientOptions": {}},
        {"Command": "Lookup", "ClientOptions": attributes},
        {"Command": "Lookup", "ClientOptions": attributes | {"BundleIDs": ["org.example.other"]}},
        {"Command": "Lookup", "ClientOptions": attributes | {"ApplicationType": "System"}},
        {"Command": "Browse", "ClientOptions": attributes},
        {"Command": "Uninstall", "ApplicationIdentifier": RUNNER_BUNDLE_ID},
        {"Command": "Lookup"},
    )
    found = answers(converse(serve_installation_proxy, sent))
    percents = [answer["PercentComplete"] for answer in found if "PercentComplete" in answer]
    assert percents == [5, 15, 40, 60, 80, 90, 50]
    lookups = [answer["LookupResult"] for answer in found if "LookupResult" in answer]
    told = {"CFBundleIdentifier": RUNNER_BUNDLE_ID, "HarnessWireVersion": 1, "ApplicationType": "User"}
    assert lookups == [{RUNNER_BUNDLE_ID: told}, {}, {}, {}]
    assert [answer["CurrentList"] for answer in found if "CurrentList" in answer] == [[told]]
    assert found[-1]["Status"] == "Complete"


def test_an_upgrade_keeps_the_documents(converse: Converse, phone_folder: Path) -> None:
    staged(phone_folder)
    install = framed({"Command": "Install", "PackagePath": "/PublicStaging/runner.ipa"})
    converse(serve_installation_proxy, install)
    document = phone_folder / "containers" / RUNNER_BUNDLE_ID / "Documents" / "kept"
    document.write_text("kept")
    converse(serve_installation_proxy, install)
    assert document.read_text() == "kept"
    converse(
        serve_installation_proxy, framed({"Command": "Uninstall", "ApplicationIdentifier": RUNNER_BUNDLE_ID})
    )
    assert not document.parent.exists()


@pytest.mark.parametrize("package", ["../../../etc/passwd", "/none.ipa", "PublicStaging", "", 5, None])
def test_a_package_is_taken_from_the_staging_folder_only(converse: Converse, package: Any) -> None:
    request = {"Command": "Install"} | ({} if package is None else {"PackagePath": package})
    found = answers(converse(serve_installation_proxy, framed(request)))
    assert found[-1]["Error"] == "PackageInspectionFailed"


def test_images_of_the_other_kind_and_without_developer_mode_are_refused(converse: Converse) -> None:
    def mount(image_type: str, **options: Any) -> str:
        request = {"Command": "MountImage", "ImageType": image_type, "ImageSignature": b"s"}
        return str(answers(converse(serve_image_mounter, framed(request), **options))[0]["DetailedError"])

    assert "takes no image of type Developer" in mount("Developer", ios="18.5")
    assert "already mounted" in mount("Developer", ios="16.7")
    assert "Developer mode is not enabled" in mount("Developer", ios="16.7", faults=(NoDeveloperMode(),))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"bplist00" + b))
def test_any_bytes_are_a_dictionary_or_refused(payload: bytes) -> None:
    with contextlib.suppress(ProtocolViolationError):
        assert isinstance(parse_plist(payload), dict)


def test_a_log_record_has_the_layout_that_clients_read() -> None:
    line = LogLine("App", 77, "said ✓", "Image", unix_ns=1_700_000_000_123_456_000)
    record = log_record(line)
    assert (record[0], struct.unpack_from("<I", record, 1)[0]) == (2, len(record) - 5)
    body = record[5:]
    assert struct.unpack_from("<I", body, 9)[0] == 77
    assert struct.unpack_from("<I", body, 55)[0] == 1_700_000_000
    assert struct.unpack_from("<I", body, 63)[0] == 123_456
    texts = body[-(len("Image") + len("said ✓".encode()) + 2) :]
    assert texts == b"Image\0" + "said ✓".encode() + b"\0"

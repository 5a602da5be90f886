"""Clients that break the protocols of the developer services: an end, never a hang, and nothing raised by the phone."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.virtual_iphone.instruments.dtx_arguments import Int32, encode_arguments
from harness.virtual_iphone.instruments.dtx_connection import unknown_selector
from harness.virtual_iphone.instruments.dtx_message import (
    DtxMessage,
    MessageDecoder,
    MessageKind,
    encode_message,
)
from harness.virtual_iphone.instruments.keyed_archive import NSError, archive, unarchive
from harness.virtual_iphone.instruments.server import serve_instruments
from harness.virtual_iphone.tunnel import cdtunnel
from harness.virtual_iphone.tunnel import http2_frames as http2
from harness.virtual_iphone.tunnel.app_service import serve_app_service
from harness.virtual_iphone.tunnel.core_device_proxy import serve_core_device_proxy
from harness.virtual_iphone.tunnel.xpc_message import XpcFlag, XpcMessage
from harness.virtual_iphone.tunnel.xpc_message import encode_message as encode_xpc

Converse = Callable[..., bytes]
_PROCESS_CONTROL = "com.apple.instruments.server.services.processcontrol"
_LAUNCH = "launchSuspendedProcessWithDevicePath:bundleIdentifier:environment:arguments:options:"


def _call(number: int, channel: int, selector: object, *arguments: object) -> bytes:
    message = DtxMessage(
        MessageKind.DISPATCH,
        number,
        channel,
        expects_reply=True,
        arguments=encode_arguments(arguments),
        payload=archive(selector),
    )
    return b"".join(encode_message(message))


def _open(identifier: str = _PROCESS_CONTROL) -> bytes:
    return _call(1, 0, "_requestChannelWithCode:identifier:", Int32(1), identifier)


def _replies(answer: bytes) -> dict[int, object]:
    """What was answered, by the number of the call."""
    return {
        message.identifier: unarchive(message.payload) if message.payload else message.kind
        for message in MessageDecoder().feed(answer)
        if message.conversation == 1
    }


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (_call(2, 1, "formatDisk"), unknown_selector("formatDisk").user_info["NSLocalizedDescription"]),
        (_call(2, 1, "killPid:"), "0 arguments instead of 1"),
        (_call(2, 1, "killPid:", "seven"), "argument 1 is no int"),
        (_call(2, 1, 7), "a call without a selector"),
        (_call(2, 9, "killPid:", 1), "No channel 9 is open"),
        (_call(2, 0, "_requestChannelWithCode:identifier:", Int32(1), _PROCESS_CONTROL), "cannot be used"),
        (_call(2, 0, "_requestChannelWithCode:identifier:", Int32(-4), _PROCESS_CONTROL), "cannot be used"),
        (_call(2, 0, "_requestChannelWithCode:identifier:", 2**40, _PROCESS_CONTROL), "cannot be used"),
        (_call(2, 0, "_requestChannelWithCode:identifier:", 2**40, "org.nothing"), "cannot be used"),
        (_call(2, 0, "_requestChannelWithCode:identifier:", Int32(5), "org.nothing"), MessageKind.OK),
        (_call(2, 0, "_requestChannelWithCode:identifier:", "x"), "does not respond"),
        (_call(2, 1, "sendSignal:toPid:", 9, 1), "No process with the identifier 1"),
        (_call(2, 1, "sendSignal:toPid:", 2**40, 1), "is no signal"),
        (_call(2, 1, "killPid:", 2**62), MessageKind.OK),
        (_call(2, 1, _LAUNCH, "", "../../etc", {}, [], {}), "Request to launch ../../etc failed"),
        (_call(2, 0, "_channelCanceled:", Int32(1)), MessageKind.OK),
        (b"".join(encode_message(DtxMessage(MessageKind.DATA, 2, 1, expects_reply=True))), "has no meaning"),
        (b"".join(encode_message(DtxMessage(MessageKind.BARRIER, 2, 1, expects_reply=True))), MessageKind.OK),
        (
            b"".join(
                encode_message(DtxMessage(MessageKind.DISPATCH, 2, 1, expects_reply=True, payload=b"x"))
            ),
            "not a binary property list",
        ),
    ],
)
def test_a_bad_call_is_refused_and_the_next_one_answered(
    call: bytes, sentence: object, converse: Converse
) -> None:
    after = _call(3, 0, "_notifyOfPublishedCapabilities:", {})
    replies = _replies(converse(serve_instruments, _open() + call + after))
    if isinstance(sentence, str):
        error = replies[2]
        assert isinstance(error, NSError)
        assert sentence in error.user_info["NSLocalizedDescription"]
    else:
        assert replies[2] is sentence
    assert replies[3] is MessageKind.OK


def test_what_a_client_asked_for_before_it_left_is_carried_out(converse: Converse) -> None:
    calls = [
        _call(number, 1, "processIdentifierForBundleIdentifier:", "org.nobody") for number in range(2, 42)
    ]
    replies = _replies(converse(serve_instruments, _open() + b"".join(calls)))
    assert [replies[number] for number in range(2, 42)] == [0] * 40


def test_a_client_that_opens_channels_without_end_is_refused(converse: Converse) -> None:
    opening = [
        _call(code, 0, "_requestChannelWithCode:identifier:", Int32(code), _PROCESS_CONTROL)
        for code in range(1, 101)
    ]
    replies = _replies(converse(serve_instruments, b"".join(opening)))
    assert [number for number, reply in replies.items() if reply is MessageKind.OK] == list(range(1, 65))


_NOISE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_NOISE
@given(data=st.data())
def test_damaged_calls_end_the_connection_or_are_answered(data: st.DataObject, converse: Converse) -> None:
    wire = bytearray(
        _open() + _call(2, 1, _LAUNCH, "", "org.nobody", {"A": "b"}, ["x"], {"KillExisting": True})
    )
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    converse(serve_instruments, bytes(wire[: data.draw(st.integers(0, len(wire)))]))


def _handshake() -> bytes:
    body = json.dumps({"type": "clientHandshakeRequest", "mtu": 1500}).encode()
    return cdtunnel.MAGIC + struct.pack(">H", len(body)) + body


@_NOISE
@given(noise=st.binary(max_size=200), begins_well=st.booleans())
def test_noise_in_a_tunnel_ends_it(noise: bytes, begins_well: bool, converse: Converse) -> None:
    converse(serve_core_device_proxy, (_handshake() if begins_well else b"") + noise)


def _request(body: dict[str, object]) -> bytes:
    opening = http2.PREFACE + http2.encode_frame(http2.settings_frame({}))
    opening += http2.encode_frame(http2.Frame(http2.FrameType.HEADERS, 1, http2.FrameFlag.END_HEADERS))
    message = encode_xpc(XpcMessage(XpcFlag.ALWAYS | XpcFlag.DATA, 1, body))
    return opening + http2.encode_frame(http2.Frame(http2.FrameType.DATA, 1, payload=message))


_GOOD = {
    "CoreDevice.featureIdentifier": "com.apple.coredevice.feature.listprocesses",
    "CoreDevice.invocationIdentifier": "one",
}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (_request(dict(_GOOD)), b"processTokens"),
        (
            _request({**_GOOD, "CoreDevice.featureIdentifier": "com.apple.erase"}),
            b"is not supported by this device",
        ),
        (
            _request(
                {**_GOOD, "CoreDevice.featureIdentifier": "com.apple.coredevice.feature.launchapplication"}
            ),
            b"The request has no applicationSpecifier",
        ),
        (_request({"CoreDevice.featureIdentifier": 7}), b""),
        (_request({"x": 1})[:-1], b""),
        (b"GET / HTTP/1.1\r\nHost: phone\r\n\r\n", b""),
        (http2.PREFACE + b"\xff" * 9, b""),
        (http2.PREFACE + http2.encode_frame(http2.Frame(http2.FrameType.DATA, 1, payload=b"x")), b""),
        (http2.PREFACE + http2.encode_frame(http2.Frame(http2.FrameType.HEADERS, 2)), b""),
        (
            http2.PREFACE
            + http2.encode_frame(http2.settings_frame({http2.Setting.INITIAL_WINDOW_SIZE: 2**31})),
            b"",
        ),
        (http2.PREFACE + http2.encode_frame(http2.window_update_frame(0, 2**31 - 1)), b""),
        (
            http2.PREFACE + http2.encode_frame(http2.Frame(http2.FrameType.PING, 0, payload=b"12345678")),
            b"12345678",
        ),
    ],
)
def test_core_device_answers_or_ends(sent: bytes, expected: bytes, converse: Converse) -> None:
    answer = converse(serve_app_service, sent)
    assert expected in answer
    if not expected:
        assert b"CoreDevice.output" not in answer and b"CoreDevice.error" not in answer


@_NOISE
@given(data=st.data())
def test_damaged_core_device_requests_end_or_are_answered(data: st.DataObject, converse: Converse) -> None:
    wire = bytearray(_request(dict(_GOOD)))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    converse(serve_app_service, bytes(wire[: data.draw(st.integers(0, len(wire)))]))

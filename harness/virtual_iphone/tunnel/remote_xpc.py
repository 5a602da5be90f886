"""RemoteXPC from the phone's side: XPC messages in the DATA frames of an HTTP/2 connection.

The client opens stream 1 for its messages and stream 3 for replies, with empty headers, and begins each with a message
that has no content. No request line, no header compression: HTTP/2 is only the framing here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from harness.virtual_iphone.streams import Stream
from harness.virtual_iphone.tunnel import http2_frames as http2
from harness.virtual_iphone.tunnel.http2_frames import Frame, FrameFlag, FrameType, Http2Error, Setting
from harness.virtual_iphone.tunnel.xpc_message import (
    HEADER_BYTES,
    XpcFlag,
    XpcMessage,
    body_bytes,
    decode_message,
    encode_message,
)

ROOT_STREAM = 1
REPLY_STREAM = 3

_MAX_STREAMS = 100
_RECEIVE_WINDOW_BYTES = 1024 * 1024
_MAX_WAITING_MESSAGES = 64
# How long a client may keep the phone from sending before the phone gives it up.
_WINDOW_LIMIT_S = 30.0


class RemoteXpcConnection:
    """One client. ``receive`` yields its requests; ``send`` answers, or speaks first."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._incoming: dict[int, bytearray] = {}
        self._requests: deque[XpcMessage] = deque()
        self._send_window_bytes = http2.DEFAULT_WINDOW_BYTES
        self._stream_windows: dict[int, int] = {}
        self._first_stream_window_bytes = http2.DEFAULT_WINDOW_BYTES
        self._next_number = 2

    async def accept(self) -> None:
        """Take the client's preface and announce the phone's own settings.

        Raises:
            Http2Error: something else than HTTP/2.
            StreamEndedError: the client left.
        """
        if await self._stream.read_exactly(len(http2.PREFACE)) != http2.PREFACE:
            raise Http2Error("not an HTTP/2 connection")
        settings = {
            Setting.MAX_CONCURRENT_STREAMS: _MAX_STREAMS,
            Setting.INITIAL_WINDOW_SIZE: _RECEIVE_WINDOW_BYTES,
        }
        await self._write(
            http2.settings_frame(settings),
            http2.window_update_frame(0, _RECEIVE_WINDOW_BYTES - http2.DEFAULT_WINDOW_BYTES),
        )

    async def receive(self) -> XpcMessage:
        """The client's next message with content.

        Raises:
            Http2Error, XpcError: the client broke a protocol.
            StreamEndedError: the client left.
        """
        while not self._requests:
            await self._take_frame()
        return self._requests.popleft()

    async def send(self, body: dict[str, Any], reply_to: XpcMessage | None = None) -> None:
        """Send ``body``, as the reply to a request where there is one.

        Raises:
            Http2Error: the client lets the phone send nothing for half a minute.
            StreamEndedError: the client left.
        """
        flags = XpcFlag.ALWAYS | XpcFlag.DATA
        if reply_to is None:
            number, stream = self._next_number, ROOT_STREAM
            self._next_number += 2
        else:
            number, stream, flags = reply_to.number, REPLY_STREAM, flags | XpcFlag.REPLY
        rest = memoryview(encode_message(XpcMessage(flags, number, body)))
        while len(rest):
            count = min(len(rest), http2.MAX_FRAME_BYTES, await self._window_of(stream))
            self._send_window_bytes -= count
            self._stream_windows[stream] -= count
            await self._write(Frame(FrameType.DATA, stream, payload=bytes(rest[:count])))
            rest = rest[count:]

    async def _window_of(self, stream: int) -> int:
        """How much may be sent on ``stream`` now; waits for the client to allow something."""
        self._stream_windows.setdefault(stream, self._first_stream_window_bytes)
        try:
            async with asyncio.timeout(_WINDOW_LIMIT_S):
                while (window := min(self._send_window_bytes, self._stream_windows[stream])) <= 0:
                    await self._take_frame()
        except TimeoutError:
            raise Http2Error(f"no window for {_WINDOW_LIMIT_S:.0f} s") from None
        return window

    async def _take_frame(self) -> None:
        header = http2.decode_header(await self._stream.read_exactly(http2.HEADER_BYTES))
        payload = await self._stream.read_exactly(header.length)
        frame = Frame(header.type, header.stream, header.flags, payload)
        match frame.type:
            case FrameType.DATA:
                await self._take_data(frame)
            case FrameType.HEADERS:
                self._open_stream(frame.stream)
            case FrameType.SETTINGS if not frame.flags & FrameFlag.ACK:
                self._apply(http2.settings_of(frame))
                await self._write(Frame(FrameType.SETTINGS, 0, FrameFlag.ACK))
            case FrameType.PING if not frame.flags & FrameFlag.ACK:
                await self._write(Frame(FrameType.PING, 0, FrameFlag.ACK, frame.payload))
            case FrameType.WINDOW_UPDATE:
                self._open_window(frame)
            case FrameType.RST_STREAM:
                self._incoming.pop(frame.stream, None)

    def _open_stream(self, stream: int) -> None:
        if stream % 2 == 0 or len(self._incoming) >= _MAX_STREAMS:
            raise Http2Error(f"stream {stream} cannot be opened")
        self._incoming.setdefault(stream, bytearray())

    async def _take_data(self, frame: Frame) -> None:
        buffer = self._incoming.get(frame.stream)
        if buffer is None:
            raise Http2Error(f"data on stream {frame.stream}, which is not open")
        buffer += http2.data_of(frame)
        while len(buffer) >= HEADER_BYTES:
            end = HEADER_BYTES + body_bytes(bytes(buffer[:HEADER_BYTES]))
            if len(buffer) < end:
                break
            message = decode_message(bytes(buffer[:HEADER_BYTES]), bytes(buffer[HEADER_BYTES:end]))
            del buffer[:end]
            if message.body:
                if len(self._requests) >= _MAX_WAITING_MESSAGES:
                    raise Http2Error("more requests than answers")
                self._requests.append(message)
        if frame.payload:
            size = len(frame.payload)
            await self._write(
                http2.window_update_frame(0, size), http2.window_update_frame(frame.stream, size)
            )

    def _apply(self, settings: dict[int, int]) -> None:
        window = settings.get(Setting.INITIAL_WINDOW_SIZE)
        if window is None:
            return
        if window > http2.LARGEST_WINDOW_BYTES:
            raise Http2Error(f"a window of {window} bytes")
        # RFC 9113, section 6.9.2: the setting moves the windows of open streams too.
        for stream in self._stream_windows:
            self._stream_windows[stream] += window - self._first_stream_window_bytes
        self._first_stream_window_bytes = window

    def _open_window(self, frame: Frame) -> None:
        increment = http2.window_increment(frame)
        if frame.stream == 0:
            self._send_window_bytes += increment
            opened = self._send_window_bytes
        elif frame.stream in self._incoming:
            opened = self._stream_windows.get(frame.stream, self._first_stream_window_bytes) + increment
            self._stream_windows[frame.stream] = opened
        else:
            return
        if opened > http2.LARGEST_WINDOW_BYTES:
            raise Http2Error("a window beyond 2^31 - 1 bytes")

    async def _write(self, *frames: Frame) -> None:
        await self._stream.write(b"".join(http2.encode_frame(frame) for frame in frames))

"""One DTX connection from the phone's side: capabilities, channels, calls.

Channel 0 is the connection's own: the two sides tell each other their capabilities, and the client opens channels by
number and name. A call on channel 5 arrives as 5; what the phone says first on that channel goes out as −5, and a reply
keeps the sign of the call.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from harness.virtual_iphone.instruments.dtx_arguments import Int32, decode_arguments, encode_arguments
from harness.virtual_iphone.instruments.dtx_message import (
    DtxError,
    DtxMessage,
    MessageDecoder,
    MessageKind,
    encode_message,
)
from harness.virtual_iphone.instruments.keyed_archive import ArchiveError, NSError, archive, unarchive
from harness.virtual_iphone.streams import Stream

_READ_BYTES = 64 * 1024
_MAX_CHANNELS = 64
_LARGEST_CODE = 2**31 - 1
# Calls a client may have waiting on one channel before the connection stops reading.
_MAX_WAITING_CALLS = 32
_LAST_CALLS_LIMIT_S = 1.0
_ERROR_DOMAIN = "DTXMessage"
_CAPABILITIES = "_notifyOfPublishedCapabilities:"
_REQUEST_CHANNEL = "_requestChannelWithCode:identifier:"
_CHANNEL_CANCELED = "_channelCanceled:"


class CallError(Exception):
    """A call that is answered with an Objective-C error."""

    def __init__(self, error: NSError) -> None:
        super().__init__(error.user_info.get("NSLocalizedDescription", error.domain))
        self.error = error


class ChannelService(Protocol):
    """What stands behind one channel."""

    async def invoke(self, selector: str, arguments: list[Any]) -> object:
        """Answer one call; raises ``CallError`` to refuse it."""

    async def close(self) -> None:
        """The channel is gone, with the client or by its wish."""


class Channel:
    """The phone's end of a channel, for what a service says by itself."""

    def __init__(self, connection: DtxConnection, code: int) -> None:
        self._connection = connection
        self._code = code

    async def call(self, selector: str, *arguments: object) -> None:
        """Call the client and expect no reply."""
        await self._connection.send(
            MessageKind.DISPATCH,
            -self._code,
            arguments=encode_arguments(arguments),
            payload=archive(selector),
        )

    async def post(self, content: object) -> None:
        """Push one object, as taps do."""
        await self._connection.send(MessageKind.OBJECT, -self._code, payload=archive(content))


class _OpenChannel:
    """A service with its queue: calls of one channel are answered in order, those of another beside them."""

    def __init__(self, service: ChannelService) -> None:
        self.service = service
        self.waiting: asyncio.Queue[DtxMessage] = asyncio.Queue(_MAX_WAITING_CALLS)
        self.worker: asyncio.Task[None] | None = None


ServiceFactory = Callable[[Channel], ChannelService]


class DtxConnection:
    """Serves the services of ``factories`` (channel identifier → service) over a stream."""

    def __init__(
        self,
        stream: Stream,
        factories: Mapping[str, ServiceFactory],
    ) -> None:
        self._stream = stream
        self._factories = factories
        self._sending = asyncio.Lock()
        self._next_identifier = 1
        self._channels: dict[int, _OpenChannel] = {}
        self._without_service: list[int] = []
        self._failure: Exception | None = None

    async def serve(self) -> None:
        """Answer until the client leaves; every channel's service is closed then.

        Raises:
            DtxError: the client broke the framing; the connection is of no more use.
            StreamEndedError: the connection broke while something was being sent.
        """
        decoder = MessageDecoder()
        try:
            await self._publish_capabilities()
            while data := await self._stream.read(_READ_BYTES):
                for message in decoder.feed(data):
                    await self._receive(message)
            await self._finish_calls()
        finally:
            for code in list(self._channels):
                await self._close_channel(code)
        if self._failure is not None:
            raise self._failure

    async def send(
        self,
        kind: MessageKind,
        channel: int,
        *,
        reply_to: DtxMessage | None = None,
        arguments: bytes = b"",
        payload: bytes = b"",
    ) -> None:
        """Write one message, whole: fragments of two messages never mix."""
        async with self._sending:
            if reply_to is None:
                identifier, conversation = self._next_identifier, 0
                self._next_identifier += 1
            else:
                identifier, conversation = reply_to.identifier, reply_to.conversation + 1
            message = DtxMessage(
                kind, identifier, channel, conversation, arguments=arguments, payload=payload
            )
            for fragment in encode_message(message):
                await self._stream.write(fragment)

    async def _publish_capabilities(self) -> None:
        capabilities = {
            "com.apple.private.DTXBlockCompression": 0,
            "com.apple.private.DTXConnection": 1,
            **dict.fromkeys(self._factories, 1),
        }
        await self.send(
            MessageKind.DISPATCH,
            0,
            arguments=encode_arguments([capabilities]),
            payload=archive(_CAPABILITIES),
        )

    async def _receive(self, message: DtxMessage) -> None:
        if message.conversation % 2:
            return  # a reply; the phone's own calls expect none
        if message.channel == 0:
            await self._answer(message, self._control)
            await self._cancel_channels_without_service()
            return
        channel = self._channels.get(message.channel)
        if channel is None:
            await self._refuse(message, f"No channel {message.channel} is open")
            return
        await channel.waiting.put(message)

    async def _control(self, selector: str, arguments: list[Any]) -> object:
        match selector, arguments:
            case "_notifyOfPublishedCapabilities:", [dict()]:
                return None
            case "_requestChannelWithCode:identifier:", [int(code), str(identifier)]:
                await self._open_channel(code, identifier)
                return None
            case "_channelCanceled:", [int(code)]:
                await self._close_channel(code)
                return None
        raise CallError(unknown_selector(selector))

    async def _open_channel(self, code: int, identifier: str) -> None:
        if not 0 < code <= _LARGEST_CODE or code in self._channels or len(self._channels) >= _MAX_CHANNELS:
            raise CallError(NSError.described(_ERROR_DOMAIN, 1, f"Channel code {code} cannot be used"))
        factory = self._factories.get(identifier)
        if factory is None:
            self._without_service.append(code)
            return
        channel = _OpenChannel(factory(Channel(self, code)))
        channel.worker = asyncio.create_task(self._work(channel), name=f"dtx {identifier}")
        self._channels[code] = channel

    async def _cancel_channels_without_service(self) -> None:
        """The phone accepts a channel to a service that it does not have, and then cancels it."""
        while self._without_service:
            code = Int32(-self._without_service.pop())
            await self.send(
                MessageKind.DISPATCH,
                0,
                arguments=encode_arguments([code]),
                payload=archive(_CHANNEL_CANCELED),
            )

    async def _close_channel(self, code: int) -> None:
        channel = self._channels.pop(code, None)
        if channel is None:
            return
        if channel.worker is not None:
            channel.worker.cancel()
            await asyncio.gather(channel.worker, return_exceptions=True)
        await channel.service.close()

    async def _finish_calls(self) -> None:
        """Carry out what a client asked for before it left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_CALLS_LIMIT_S):
                for channel in list(self._channels.values()):
                    await channel.waiting.join()

    async def _work(self, channel: _OpenChannel) -> None:
        while True:
            message = await channel.waiting.get()
            try:
                if self._failure is None:
                    await self._answer(message, channel.service.invoke)
            except Exception as error:
                # A worker that just stopped would leave its client waiting: the connection ends with it.
                self._failure = error
                self._stream.abort()
            finally:
                channel.waiting.task_done()

    async def _answer(
        self, message: DtxMessage, invoke: Callable[[str, list[Any]], Awaitable[object]]
    ) -> None:
        if message.kind is MessageKind.BARRIER:
            await self._reply(message, None)
            return
        if message.kind is not MessageKind.DISPATCH:
            await self._refuse(message, f"A message of kind {message.kind.name} has no meaning here")
            return
        try:
            selector, arguments = unarchive(message.payload), decode_arguments(message.arguments)
            if not isinstance(selector, str):
                raise ArchiveError("a call without a selector")
            result = await invoke(selector, arguments)
        except CallError as refused:
            await self._reply_error(message, refused.error)
        except (ArchiveError, DtxError) as error:
            await self._refuse(message, str(error))
        else:
            await self._reply(message, result)

    async def _reply(self, message: DtxMessage, result: object) -> None:
        if not message.expects_reply:
            return
        if result is None:
            await self.send(MessageKind.OK, message.channel, reply_to=message)
        else:
            await self.send(MessageKind.OBJECT, message.channel, reply_to=message, payload=archive(result))

    async def _refuse(self, message: DtxMessage, reason: str) -> None:
        await self._reply_error(message, NSError.described(_ERROR_DOMAIN, 1, reason))

    async def _reply_error(self, message: DtxMessage, error: NSError) -> None:
        if message.expects_reply:
            await self.send(MessageKind.ERROR, message.channel, reply_to=message, payload=archive(error))


def unknown_selector(selector: str) -> NSError:
    """The answer to a call that no service here knows, in the words by which clients recognise it."""
    return NSError.described(
        _ERROR_DOMAIN, 1, f"Unable to invoke '{selector}' - it does not respond to the selector"
    )

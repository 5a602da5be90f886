"""The phone's end of a tunnel: IPv6 packets on a stream below, TCP streams to services above."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections import deque
from collections.abc import Awaitable, Callable

from harness.virtual_iphone.streams import BytesLike, ProtocolViolationError, Stream, StreamEndedError
from harness.virtual_iphone.tunnel.cdtunnel import TunnelParameters
from harness.virtual_iphone.tunnel.ipv6_packet import (
    Flag,
    PacketDecoder,
    PacketError,
    Segment,
    decode_segment,
    encode_segment,
)
from harness.virtual_iphone.tunnel.tcp_connection import Endpoints, TcpConnection
from harness.virtual_iphone.tunnel.tcp_receiver import SEQUENCE_SPACE

StreamHandler = Callable[[Stream], Awaitable[None]]

_MAX_CONNECTIONS = 256
# Packets that wait for the stream below; beyond it connections wait too.
_MAX_WAITING_BYTES = 1024 * 1024
_READ_BYTES = 256 * 1024
_CONGESTED_WAIT_S = 0.2


class TunnelNetwork:
    """Serves the one client at the other end of ``stream``; ``find_handler`` tells who listens on a port."""

    def __init__(
        self,
        stream: Stream,
        parameters: TunnelParameters,
        find_handler: Callable[[int], StreamHandler | None],
        log: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._parameters = parameters
        self._find_handler = find_handler
        self._log = log
        self._streams: dict[Endpoints, TunnelStream] = {}
        self._handlers: set[asyncio.Task[None]] = set()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._something_waits = asyncio.Event()

    async def run(self) -> None:
        """Serve until the stream below ends; every connection ends with it.

        Raises:
            PacketError: something that is no IPv6 packet came.
        """
        writer = asyncio.create_task(self._write_packets(), name="tunnel packets out")
        try:
            await self._read_packets()
        finally:
            writer.cancel()
            for stream in list(self._streams.values()):
                stream.cut()
            for handler in list(self._handlers):
                handler.cancel()
            await asyncio.gather(writer, *self._handlers, return_exceptions=True)

    @property
    def is_congested(self) -> bool:
        """Whether so much waits for the stream below that connections should send nothing new."""
        return self._waiting_bytes >= _MAX_WAITING_BYTES

    def emit(self, segment: Segment) -> None:
        packet = encode_segment(segment, self._parameters.server, self._parameters.client)
        self._waiting.append(packet)
        self._waiting_bytes += len(packet)
        self._something_waits.set()

    def forget(self, endpoints: Endpoints) -> None:
        self._streams.pop(endpoints, None)

    async def _read_packets(self) -> None:
        decoder = PacketDecoder()
        while data := await self._stream.read(_READ_BYTES):
            reached: set[TunnelStream] = set()
            for packet in decoder.feed(data):
                # The client's stack also speaks to neighbours, routers and groups, which a tunnel does not have.
                if packet.destination == self._parameters.server.packed:
                    with contextlib.suppress(PacketError):
                        reached |= self._receive(decode_segment(packet))
            for stream in reached:
                stream.settle()

    def _receive(self, segment: Segment) -> set[TunnelStream]:
        """Pass a segment on; the stream it reached."""
        endpoints = Endpoints(segment.destination_port, segment.source_port)
        stream = self._streams.get(endpoints)
        if stream is not None:
            stream.receive(segment)
            return {stream}
        if segment.flags & (Flag.SYN | Flag.ACK | Flag.RST) == Flag.SYN:
            self._open(segment, endpoints)
        elif not segment.flags & Flag.RST:
            self._refuse(segment)
        return set()

    def _open(self, syn: Segment, endpoints: Endpoints) -> None:
        handler = self._find_handler(syn.destination_port)
        if handler is None or len(self._streams) >= _MAX_CONNECTIONS:
            self._refuse(syn)
            return
        stream = TunnelStream(self, syn, self._parameters.mtu_bytes)
        self._streams[endpoints] = stream
        task = asyncio.create_task(self._serve(stream, handler), name=f"tunnel port {syn.destination_port}")
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    async def _serve(self, stream: TunnelStream, handler: StreamHandler) -> None:
        try:
            await handler(stream)
        except (StreamEndedError, OSError):
            pass
        except ProtocolViolationError as violation:
            self._log(f"closed a connection to port {stream.phone_port}: {violation}")
            stream.abort()
        finally:
            await stream.close()

    def _refuse(self, segment: Segment) -> None:
        """The reset that RFC 9293, section 3.10.7.1 answers with where there is no connection."""
        flags, sequence, acknowledgment = Flag.RST, segment.acknowledgment, 0
        if not segment.flags & Flag.ACK:
            flags, sequence = Flag.RST | Flag.ACK, 0
            taken = len(segment.payload) + bool(segment.flags & Flag.SYN) + bool(segment.flags & Flag.FIN)
            acknowledgment = (segment.sequence + taken) % SEQUENCE_SPACE
        self.emit(
            Segment(segment.destination_port, segment.source_port, sequence, acknowledgment, flags, window=0)
        )

    async def _write_packets(self) -> None:
        while True:
            await self._something_waits.wait()
            self._something_waits.clear()
            packets = list(self._waiting)
            self._waiting.clear()
            was_congested = self.is_congested
            with contextlib.suppress(StreamEndedError):
                await self._stream.write(b"".join(packets))
            self._waiting_bytes -= sum(map(len, packets))
            if was_congested:
                for stream in list(self._streams.values()):
                    stream.resume()


class TunnelStream(Stream):
    """A TCP connection over the tunnel as a stream."""

    def __init__(self, network: TunnelNetwork, syn: Segment, mtu_bytes: int) -> None:
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_cut = False
        self._connection = TcpConnection(
            syn, secrets.randbelow(SEQUENCE_SPACE), mtu_bytes, network.emit, self._loop.time()
        )

    @property
    def phone_port(self) -> int:
        return self._connection.endpoints.phone_port

    def receive(self, segment: Segment) -> None:
        """Take a segment; ``settle`` follows after the last that came with it."""
        self._connection.receive(segment, self._loop.time())

    def resume(self) -> None:
        """The tunnel takes packets again."""
        self._connection.pump(self._loop.time())
        self.settle()

    def cut(self) -> None:
        """The tunnel is gone."""
        self._is_cut = True
        self._finish()

    async def read(self, limit_bytes: int) -> bytes:
        while not self._connection.readable_bytes:
            if self._is_cut or self._connection.at_end:
                return b""
            await self._next_change()
        return self._connection.take(limit_bytes)

    async def read_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = await self.read(count - len(data))
            if not piece:
                raise StreamEndedError
            data += piece
        return bytes(data)

    async def write(self, *parts: BytesLike) -> None:
        for part in parts:
            rest = memoryview(part)
            while len(rest):
                if self._is_cut or self._connection.is_over:
                    raise StreamEndedError
                room = self._connection.writable_bytes
                if not self._connection.is_established or not room or self._network.is_congested:
                    await self._next_change()
                    continue
                if not self._connection.is_open:
                    raise StreamEndedError
                self._connection.write(rest[:room], self._loop.time())
                rest = rest[room:]
                self.settle()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """The tunnel is inside TLS already; its services speak plainly."""
        del context
        raise StreamEndedError

    async def close(self) -> None:
        if not self._is_cut:
            self._connection.close(self._loop.time())
            self.settle()

    def abort(self) -> None:
        if not self._is_cut:
            self._connection.reset()
            self.settle()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def settle(self) -> None:
        """Acknowledge what came, wake who waits, and set the timer to what is due next."""
        self._connection.acknowledge()
        self._changed.set()
        if self._connection.is_over:
            self._finish()
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._connection.deadline_s is not None:
            self._timer = self._loop.call_at(self._connection.deadline_s, self._due)

    def _due(self) -> None:
        if self._network.is_congested:
            # What this connection sent has not left the phone: nothing is late but the tunnel itself.
            self._timer = self._loop.call_later(_CONGESTED_WAIT_S, self._due)
            return
        self._connection.tick(self._loop.time())
        self.settle()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._network.forget(self._connection.endpoints)
        self._changed.set()

"""The handshake that turns a CoreDeviceProxy connection into a tunnel of IPv6 packets.

Each side sends one packet: ``CDTunnel``, a big-endian ``u16`` length, and that much JSON. The client asks with the MTU
it wants, the phone answers with both ends' addresses and the port of its service discovery; from then on the stream
carries bare IPv6 packets.
"""

from __future__ import annotations

import ipaddress
import json
import struct
from dataclasses import dataclass
from typing import Any

from harness.virtual_iphone.streams import ProtocolViolationError

MAGIC = b"CDTunnel"
HEADER_BYTES = len(MAGIC) + 2
# An IPv6 link carries at least 1280 bytes (RFC 8200, section 5).
SMALLEST_MTU = 1280
_LARGEST_MTU = 16000
_TUNNEL_PREFIX_BITS = 64


class CDTunnelError(ProtocolViolationError):
    """Not the handshake of a tunnel."""


@dataclass(frozen=True)
class TunnelParameters:
    """What both ends agree on: their addresses, the largest packet in bytes, where services are discovered."""

    client: ipaddress.IPv6Address
    server: ipaddress.IPv6Address
    mtu_bytes: int
    discovery_port: int


def body_bytes(header: bytes) -> int:
    """How many bytes of JSON follow the ten of ``header``.

    Raises:
        CDTunnelError: the header of something else.
    """
    if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
        raise CDTunnelError("not a CDTunnel packet")
    return int.from_bytes(header[len(MAGIC) :], "big")


def requested_mtu(body: bytes) -> int:
    """The MTU in bytes that a ``clientHandshakeRequest`` gets: the one it asks for, within what a tunnel carries.

    Raises:
        CDTunnelError: another message, or no number.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CDTunnelError(f"a handshake that is no JSON: {error}") from error
    if not isinstance(request, dict) or request.get("type") != "clientHandshakeRequest":
        raise CDTunnelError("not a clientHandshakeRequest")
    mtu = request.get("mtu", SMALLEST_MTU)
    if not isinstance(mtu, int) or isinstance(mtu, bool):
        raise CDTunnelError(f"an MTU of {mtu!r}")
    return max(SMALLEST_MTU, min(mtu, _LARGEST_MTU))


def encode_response(parameters: TunnelParameters) -> bytes:
    """The phone's answer, ``serverHandshakeResponse``."""
    netmask = ipaddress.IPv6Network((0, _TUNNEL_PREFIX_BITS)).netmask
    return _packet(
        {
            "type": "serverHandshakeResponse",
            "clientParameters": {
                "mtu": parameters.mtu_bytes,
                "address": str(parameters.client),
                "netmask": str(netmask),
            },
            "serverAddress": str(parameters.server),
            "serverRSDPort": parameters.discovery_port,
        }
    )


def _packet(content: dict[str, Any]) -> bytes:
    body = json.dumps(content).encode()
    return MAGIC + struct.pack(">H", len(body)) + body

"""CoreDeviceProxy: the lockdown service whose connection becomes a tunnel to everything the phone offers."""

from __future__ import annotations

import ipaddress
import secrets
from functools import partial

from harness.virtual_iphone.instruments.server import serve_instruments
from harness.virtual_iphone.lockdown import serve_lockdown
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.services import Service
from harness.virtual_iphone.streams import Stream
from harness.virtual_iphone.tunnel import app_service, cdtunnel
from harness.virtual_iphone.tunnel.app_service import AppFeatures, serve_app_service
from harness.virtual_iphone.tunnel.checkin import serve_checked_in
from harness.virtual_iphone.tunnel.service_discovery import AdvertisedService, serve_discovery
from harness.virtual_iphone.tunnel.tunnel_network import StreamHandler, TunnelNetwork

_INSTRUMENTS = "com.apple.instruments.dtservicehub"
_LOCKDOWN = "com.apple.mobile.lockdown.remote.trusted"
# How a lockdown service is called that is reached through the tunnel.
_SHIM_SUFFIX = ".shim.remote"
_FIRST_PORT = 49152
# A prefix of unique local addresses (RFC 4193) for each tunnel, the phone at 1, the client at 2.
_UNIQUE_LOCAL = 0xFD << 120
_PHONE_ADDRESS, _CLIENT_ADDRESS = 1, 2


async def serve_core_device_proxy(stream: Stream, phone: Phone) -> None:
    """Agree on a tunnel, then be its far end until it closes.

    Raises:
        ProtocolViolationError: no handshake, or something else than packets after it.
        StreamEndedError: the client left during the handshake.
    """
    header = await stream.read_exactly(cdtunnel.HEADER_BYTES)
    mtu_bytes = cdtunnel.requested_mtu(await stream.read_exactly(cdtunnel.body_bytes(header)))
    prefix = _UNIQUE_LOCAL | secrets.randbits(56) << 64
    offered = _Offered(phone)
    parameters = cdtunnel.TunnelParameters(
        client=ipaddress.IPv6Address(prefix | _CLIENT_ADDRESS),
        server=ipaddress.IPv6Address(prefix | _PHONE_ADDRESS),
        mtu_bytes=mtu_bytes,
        discovery_port=offered.discovery_port,
    )
    await stream.write(cdtunnel.encode_response(parameters))
    phone.happened("tunnel")
    log = partial(phone.log.write, "remoted", 1)
    await TunnelNetwork(stream, parameters, offered.handler, log).run()


class _Offered:
    """What the phone offers inside one tunnel: services by name for discovery, handlers by port for the network.

    A service keeps its port for the tunnel's life; one that appears later, with a disk image, gets the next.
    """

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._ports: dict[str, int] = {}
        self.discovery_port = self._port("discovery")

    def handler(self, port: int) -> StreamHandler | None:
        """Who serves ``port`` now; ``None`` where nothing listens."""
        if port == self.discovery_port:
            return lambda stream: serve_discovery(stream, self._phone.identity, self._advertised())
        name = next((name for name, number in self._ports.items() if number == port), None)
        return self._handlers().get(name) if name is not None else None

    def _advertised(self) -> dict[str, AdvertisedService]:
        services = {name: AdvertisedService(self._port(name)) for name in self._handlers()}
        if app_service.NAME in services:
            features = AppFeatures(self._phone).names
            services[app_service.NAME] = AdvertisedService(
                self._port(app_service.NAME), uses_remote_xpc=True, features=features
            )
        return services

    def _handlers(self) -> dict[str, StreamHandler]:
        phone = self._phone
        handlers: dict[str, StreamHandler] = {
            _LOCKDOWN: partial(
                serve_checked_in, phone=phone, service=Service(_LOCKDOWN, _serve_trusted_lockdown)
            )
        }
        for name in phone.services.names(phone):
            service = phone.services.find(name, phone)
            if service is not None and service.over_tunnel:
                handlers[name + _SHIM_SUFFIX] = partial(serve_checked_in, phone=phone, service=service)
        if phone.has_developer_services:
            handlers[_INSTRUMENTS] = lambda stream: serve_instruments(stream, phone)
            handlers[app_service.NAME] = lambda stream: serve_app_service(stream, phone)
        return handlers

    def _port(self, name: str) -> int:
        return self._ports.setdefault(name, _FIRST_PORT + len(self._ports))


async def _serve_trusted_lockdown(stream: Stream, phone: Phone) -> None:
    await serve_lockdown(stream, phone, is_trusted=True)

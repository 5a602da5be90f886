"""Remote service discovery: what a phone tells the client of a tunnel about itself and its services."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.virtual_iphone.identity import PhoneIdentity
from harness.virtual_iphone.streams import ProtocolViolationError, Stream
from harness.virtual_iphone.tunnel.remote_xpc import RemoteXpcConnection
from harness.virtual_iphone.tunnel.xpc_message import UInt64

_MESSAGING_PROTOCOL_VERSION = 7
_ENTITLEMENT = "com.apple.mobile.lockdown.remote.trusted"
_REMOTE_XPC_VERSION_FLAGS = 0x0100_0000_0000_0006


@dataclass(frozen=True)
class AdvertisedService:
    """A service as discovery lists it: its port inside the tunnel, and how it speaks."""

    port: int
    uses_remote_xpc: bool = False
    features: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        properties: dict[str, Any] = {"ServiceVersion": UInt64(1)}
        if self.uses_remote_xpc:
            properties["UsesRemoteXPC"] = True
        if self.features:
            properties["Features"] = list(self.features)
        return {
            "Entitlement": "com.apple.mobile.lockdown.remote.trusted",
            "Port": str(self.port),
            "Properties": properties,
        }


async def serve_discovery(
    stream: Stream, identity: PhoneIdentity, services: Mapping[str, AdvertisedService]
) -> None:
    """Answer each handshake of one client until it leaves.

    Raises:
        ProtocolViolationError: no handshake of a client that knows this protocol.
        StreamEndedError: the client left.
    """
    connection = RemoteXpcConnection(stream)
    await connection.accept()
    while True:
        request = (await connection.receive()).body
        # A phone drops a client that does not say which RemoteXPC it speaks.
        if (
            not isinstance(request, dict)
            or request.get("MessageType") != "Handshake"
            or not isinstance(request.get("MessagingProtocolVersion"), int)
        ):
            raise ProtocolViolationError("no discovery handshake")
        await connection.send(handshake(identity, services))


def handshake(identity: PhoneIdentity, services: Mapping[str, AdvertisedService]) -> dict[str, Any]:
    """The phone's half of the handshake."""
    return {
        "MessageType": "Handshake",
        "MessagingProtocolVersion": UInt64(_MESSAGING_PROTOCOL_VERSION),
        "UUID": uuid.uuid5(uuid.NAMESPACE_OID, identity.udid),
        "Properties": {
            "AppleInternal": False,
            "BoardId": UInt64(identity.model.board_id),
            "BuildVersion": identity.build,
            "ChipID": UInt64(identity.model.chip_id),
            "DeviceClass": "iPhone",
            "HWModel": identity.model.hardware_model,
            "OSVersion": identity.ios_version,
            "ProductName": "iPhone OS",
            "ProductType": identity.model.product_type,
            "RemoteXPCVersionFlags": UInt64(_REMOTE_XPC_VERSION_FLAGS),
            "SensitivePropertiesVisible": True,
            "SerialNumber": identity.serial_number,
            "UniqueChipID": UInt64(identity.ecid),
            "UniqueDeviceID": identity.udid,
        },
        "Services": {name: service.entry() for name, service in services.items()},
    }

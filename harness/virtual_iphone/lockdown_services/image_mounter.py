"""mobile_image_mounter: which developer disk images are mounted, and whether Developer Mode is on.

Images can be mounted: what is sent counts as the image, its signature as what it is looked up by. Nothing is read
from it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from harness.virtual_iphone.faults import NoImage
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import READ_LIMIT_BYTES, Stream, StreamEndedError

_MOUNT_PATHS = {"Developer": "/Developer", "Personalized": "/System/Developer"}
_LARGEST_IMAGE_BYTES = 2 * 1024**3


async def serve_image_mounter(stream: Stream, phone: Phone) -> None:
    """Answer one client until it hangs up or leaves."""
    while True:
        request = await read_plist(stream)
        image_type = request.get("ImageType")
        match request.get("Command"):
            case "LookupImage":
                answer = _lookup(phone, image_type)
            case "CopyDevices":
                answer = {"EntryList": [_entry(kind, phone.images[kind]) for kind in phone.images]}
            case "QueryDeveloperModeStatus" if phone.identity.ios >= (16, 0):
                answer = {"DeveloperModeStatus": phone.has_developer_mode}
            case "QueryNonce":
                answer = {"PersonalizationNonce": hashlib.sha256(phone.identity.udid.encode()).digest()}
            case "QueryPersonalizationIdentifiers" if phone.identity.ios >= (17, 0):
                answer = {"PersonalizationIdentifiers": _identifiers(phone)}
            case "QueryPersonalizationManifest" if phone.identity.ios >= (17, 0):
                signature = phone.images.get("Personalized")
                answer = (
                    {"ImageSignature": signature} if signature else _error("MissingManifest", "no manifest")
                )
            case "ReceiveBytes":
                answer = await _receive(stream, request)
            case "MountImage":
                answer = _mount(phone, request)
            case "UnmountImage":
                answer = _unmount(phone, request.get("MountPath"))
            case "Hangup":
                await write_plist(stream, {"Goodbye": True})
                return
            case _:
                answer = _error("UnknownCommand", "UnknownCommand")
        await write_plist(stream, answer)


def _lookup(phone: Phone, image_type: object) -> dict[str, Any]:
    signature = phone.images.get(image_type) if isinstance(image_type, str) else None
    if signature is None:
        return {"ImagePresent": False, "Status": "Complete"}
    return {"ImagePresent": True, "ImageSignature": [signature], "Status": "Complete"}


def _entry(image_type: str, signature: bytes) -> dict[str, Any]:
    return {
        "DiskImageType": image_type,
        "ImageSignature": signature,
        "IsMounted": True,
        "MountPath": _MOUNT_PATHS[image_type],
    }


def _identifiers(phone: Phone) -> dict[str, Any]:
    identity = phone.identity
    return {
        "BoardId": identity.model.board_id,
        "ChipID": identity.model.chip_id,
        "SecurityDomain": 1,
        "UniqueChipID": identity.ecid,
        "Ap,OSLongVersion": f"{identity.ios_version}.0.0,0",
        "Ap,ProductType": identity.model.product_type,
        "Ap,SDKPlatform": "iphoneos",
        "Ap,Target": identity.model.hardware_model,
    }


async def _receive(stream: Stream, request: dict[str, Any]) -> dict[str, Any]:
    left = request.get("ImageSize")
    if not isinstance(left, int) or not 0 < left <= _LARGEST_IMAGE_BYTES:
        return _error("InvalidArgument", "no usable ImageSize")
    await write_plist(stream, {"Status": "ReceiveBytesAck"})
    while left:
        piece = await stream.read(min(left, READ_LIMIT_BYTES))
        if not piece:
            raise StreamEndedError
        left -= len(piece)
    return {"Status": "Complete"}


def _mount(phone: Phone, request: dict[str, Any]) -> dict[str, Any]:
    image_type, signature = request.get("ImageType"), request.get("ImageSignature")
    if image_type != phone.image_type or not isinstance(signature, bytes):
        return _error(
            "InvalidArgument", f"iOS {phone.identity.ios_version} takes no image of type {image_type}"
        )
    if phone.identity.ios >= (16, 0) and not phone.has_developer_mode:
        return _error("InternalError", "Developer mode is not enabled.")
    if phone.is_locked:
        return _error("DeviceLocked", "The device is locked.")
    if image_type in phone.images:
        return _error("InternalError", f"The image {image_type} is already mounted.")
    phone.faults.clear(NoImage)
    phone.mounted_images[image_type] = signature
    return {"Status": "Complete"}


def _unmount(phone: Phone, path: object) -> dict[str, Any]:
    image_type = next((kind for kind in phone.images if _MOUNT_PATHS[kind] == path), None)
    if image_type is None:
        return _error("InternalError", f"There is no matching entry in the device map for {path}")
    del phone.mounted_images[image_type]
    return {"Status": "Complete"}


def _error(error: str, detail: str) -> dict[str, Any]:
    return {"Error": error, "DetailedError": detail}

"""Who the phone says it is: model, iOS release, identifiers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from harness.errors import UsageError


@dataclass(frozen=True)
class PhoneModel:
    """A model of iPhone as Apple's identifiers name it."""

    product_type: str
    marketing_name: str
    hardware_model: str
    chip_id: int
    board_id: int
    memory_bytes: int


_GB = 1_000_000_000
MODELS = {
    model.product_type: model
    for model in (
        PhoneModel("iPhone13,2", "iPhone 12", "D53gAP", 0x8101, 0x0C, 4 * _GB),
        PhoneModel("iPhone14,5", "iPhone 13", "D17AP", 0x8110, 0x18, 4 * _GB),
        PhoneModel("iPhone15,2", "iPhone 14 Pro", "D73AP", 0x8120, 0x0C, 6 * _GB),
        PhoneModel("iPhone16,2", "iPhone 15 Pro Max", "D84AP", 0x8130, 0x06, 8 * _GB),
        PhoneModel("iPhone17,1", "iPhone 16 Pro", "D93AP", 0x8140, 0x0C, 8 * _GB),
    )
}

# One release for each way a host reaches the developer services, and the build Apple shipped it as.
BUILDS = {"16.7": "20H19", "17.2": "21C62", "18.5": "22F76", "26.1": "23B85"}
DEFAULT_IOS = "18.5"
# The newest model here that shipped before iOS 17, and the newest that takes all the others.
_MODEL_BEFORE_17 = "iPhone15,2"
_MODEL_FROM_17 = "iPhone16,2"


@dataclass(frozen=True)
class PhoneIdentity:
    """What never changes while a phone runs."""

    name: str
    model: PhoneModel
    ios_version: str
    build: str
    ecid: int
    serial_number: str
    wifi_address: str
    connection: str = "USB"

    @property
    def udid(self) -> str:
        """As every model since the A12 forms it: chip, then ECID, both hexadecimal."""
        return f"{self.model.chip_id:08X}-{self.ecid:016X}"

    @property
    def ios(self) -> tuple[int, int]:
        """Major and minor release, to compare with."""
        major, _, rest = self.ios_version.partition(".")
        return int(major), int(rest.split(".")[0] or 0)


def phone_identity(
    ios_version: str = DEFAULT_IOS, model: str | None = None, index: int = 0, *, network: bool = False
) -> PhoneIdentity:
    """The identity of the phone number ``index``: the same arguments give the same identifiers.

    Without ``model`` it is one that runs the release.

    Raises:
        UsageError: a model or an iOS release that is not among those known.
    """
    if ios_version not in BUILDS:
        raise UsageError(
            f"no such iOS release here: {ios_version!r}",
            where="--ios",
            next_step=f"Use one of {', '.join(BUILDS)}.",
        )
    if model is None:
        model = _MODEL_BEFORE_17 if ios_version.startswith("16.") else _MODEL_FROM_17
    if model not in MODELS:
        raise UsageError(
            f"no such phone: {model!r}", where="--model", next_step=f"Use one of {', '.join(MODELS)}."
        )
    digest = hashlib.sha256(f"virtual {model} {ios_version} {index}".encode()).digest()
    # The upper half of a real ECID is small; a tag in it makes the phone easy to tell from a real one.
    ecid = 0x000F_AC00_0000_0000 | int.from_bytes(digest[:5], "big")
    return PhoneIdentity(
        name=f"Virtual iPhone {index + 1}",
        model=MODELS[model],
        ios_version=ios_version,
        build=BUILDS[ios_version],
        ecid=ecid,
        serial_number=f"VIRTUAL{digest[5:8].hex().upper()[:5]}",
        wifi_address=":".join(f"{byte:02x}" for byte in (0x02, *digest[8:13])),
        connection="Network" if network else "USB",
    )

"""What a worker announces is read back as it was, and what others announce is passed over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import __version__
from harness.cluster.devices import (
    LONGEST_RESOURCE,
    Announced,
    announced_by,
    cores_resource,
    device_resource,
    worker_name,
)
from harness.core.device_traits import DeviceKind, DeviceTraits

RELEASE = f"release={__version__}"
TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


def at(host: str, resources: dict[str, object], address: str = "tls://a") -> dict[str, dict[str, object]]:
    """A worker as the scheduler tells of it."""
    return {address: {"name": worker_name(host, "machine", "1-ab"), "resources": resources}}


def test_a_phone_that_is_moved_is_the_same_device() -> None:
    phone = DeviceTraits(kind=DeviceKind.IPHONE, udid="a", model="b", ios="18.5", is_virtual=False)
    (here,) = announced_by(at("desk1", {device_resource(phone): 1}))
    (there,) = announced_by(at("desk/2", {device_resource(phone): 1}, "tls://b"))
    assert here.resource == there.resource
    assert here.device is not None and here.device.host == "desk1"
    assert there.device is not None and there.device.host == "desk/2"
    assert device_resource(here.device) == device_resource(there.device)


@given(udid=TEXT, model=st.none() | TEXT, ios=st.none() | TEXT, name=st.none() | TEXT, virtual=st.booleans())
@settings(max_examples=200)
def test_a_phone_is_read_back_as_it_was(
    udid: str, model: str | None, ios: str | None, name: str | None, virtual: bool
) -> None:
    phone = DeviceTraits(
        kind=DeviceKind.IPHONE, udid=udid, model=model, ios=ios, name=name, is_virtual=virtual, host="desk"
    )
    (read,) = announced_by(at("desk", {device_resource(phone): 1}))
    assert read.device == phone
    assert (read.address, read.count, read.engine) == ("tls://a", 1, None)


def test_the_name_says_what_it_is() -> None:
    phone = DeviceTraits(
        kind=DeviceKind.IPHONE,
        udid="00008120-001A",
        model="iPhone15,2",
        ios="18.5",
        is_virtual=False,
        host="desk1",
    )
    assert (
        device_resource(phone)
        == f"iphone udid=00008120-001A model=iPhone15,2 ios=18.5 class=iphone release={__version__}"
    )
    assert device_resource(DeviceTraits(kind=DeviceKind.LOCAL, host="desk1")) == f"local host=desk1 {RELEASE}"


def test_machines_and_cores_in_one_order() -> None:
    found = announced_by(
        {
            **at("b", {f"local host=b {RELEASE}": 1, cores_resource("5f0c"): 4}, "tls://b"),
            **at("a", {cores_resource("5f0c"): 2}),
        }
    )
    assert found == (
        Announced("tls://a", f"cores engine=5f0c {RELEASE}", 2, engine="5f0c"),
        Announced("tls://b", f"cores engine=5f0c {RELEASE}", 4, engine="5f0c"),
        Announced(
            "tls://b", f"local host=b {RELEASE}", 1, device=DeviceTraits(kind=DeviceKind.LOCAL, host="b")
        ),
    )


def test_a_worker_of_another_release_is_told_apart() -> None:
    resources = {"local host=a release=0.0.9": 1, "local host=b": 1, "cores engine=5f0c release=0.0.9": 2}
    found = announced_by(at("a", resources))
    assert [(one.release, one.is_of_this_release) for one in found] == [
        ("0.0.9", False),
        ("0.0.9", False),
        ("", False),
    ]


@pytest.mark.parametrize(
    "resource",
    [
        "GPU",
        "",
        "iphone",
        "iphone model=iPhone15,2",
        "iphone udid=a udid=b",
        "iphone udid=a class=android",
        "iphone udid=a colour=red",
        "iphone  udid=a",
        "ipad udid=a",
        "local",
        "cores engine=",
        "cores engine=a host=b",
        "iphone udid=" + "a" * LONGEST_RESOURCE,
    ],
)
def test_what_is_not_the_harnesss_is_passed_over(resource: str) -> None:
    assert announced_by(at("a", {resource: 1})) == ()


def test_a_device_that_was_taken_back_is_none() -> None:
    assert announced_by(at("a", {"local host=b": 0, "local host=c": "1"})) == ()

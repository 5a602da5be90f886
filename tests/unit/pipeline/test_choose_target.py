"""From a target's name to the target."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from harness.errors import HarnessError, TargetError, UsageError
from harness.pipeline.choose_target import (
    TargetSettings,
    absolute_target,
    choose_target,
    devices_of,
    phone_udid,
)
from harness.targets.local import LocalTarget
from harness.targets.runner_executable import runner_executable

SETTINGS = TargetSettings(cache=Path("cache"))


def test_local() -> None:
    target = choose_target("local", SETTINGS)
    assert isinstance(target, LocalTarget)
    target.close()


@pytest.mark.parametrize(
    "name", ["", "moon", "Local", "local:here", "replay", "replay:", ":", "virtual", "iphone:*"]
)
def test_there_is_no_such_target(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_target(name, SETTINGS)
    assert "local" in caught.value.next_step


def test_a_replay_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="no recorded job"):
        choose_target(f"replay:{tmp_path}", SETTINGS)


def test_another_runner(tmp_path: Path) -> None:
    with pytest.raises(HarnessError):
        choose_target("local", TargetSettings(cache=Path(), runner=tmp_path / "missing"))
    choose_target("local", TargetSettings(cache=Path(), runner=runner_executable())).close()


@pytest.mark.parametrize(
    ("name", "absolute"),
    [
        ("local", "local"),
        ("replay:old", "replay:/base/old"),
        ("replay:../old", "replay:/old"),
        ("replay:/runs/old", "replay:/runs/old"),
        ("replay:", "replay:"),
    ],
)
def test_a_replayed_folder_counts_from_its_base(name: str, absolute: str) -> None:
    assert absolute_target(name, Path("/base")) == absolute


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("local", ("local",)),
        ("replay:/runs/old", ("replay:/runs/old",)),
        ("iphone:00008130-000F", ("iphone:00008130-000F",)),
        ("virtual", ("virtual:18.5#1",)),
        ("virtual:16.7", ("virtual:16.7#1",)),
        ("virtual:3", ("virtual:18.5#1", "virtual:18.5#2", "virtual:18.5#3")),
        ("virtual:26.1:2", ("virtual:26.1#1", "virtual:26.1#2")),
    ],
)
def test_one_name_for_several_devices(name: str, devices: tuple[str, ...]) -> None:
    assert devices_of(name) == devices


@pytest.mark.parametrize(
    "name",
    [
        "moon",
        "local:here",
        "virtual:18.5:0",
        "virtual:18.5:17",
        "virtual:18.5:many",
        "moon where ios=18",
        "iphone where",
    ],
)
def test_names_that_stand_for_no_device(name: str) -> None:
    with pytest.raises(UsageError):
        devices_of(name)


def test_a_single_iphone() -> None:
    assert phone_udid("iphone") is None
    assert phone_udid("iphone:00008130-000F") == "00008130-000F"
    for name in ("iphone:*", "local", "virtual"):
        with pytest.raises(UsageError):
            phone_udid(name)


def test_this_machine_is_found_by_its_host() -> None:
    assert devices_of(f"local where host={platform.node()[:3]}*") == ("local",)
    with pytest.raises(TargetError, match=f"{platform.node()}: host is not elsewhere"):
        devices_of("local where host=elsewhere")
    with pytest.raises(UsageError, match="no single iPhone"):
        phone_udid("local where host=*")

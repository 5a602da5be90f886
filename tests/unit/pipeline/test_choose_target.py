"""From a target's name to the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError, TargetError, UsageError
from harness.pipeline.choose_target import absolute_target, choose_target
from harness.targets.local import LocalTarget
from harness.targets.runner_executable import runner_executable


def test_local() -> None:
    target = choose_target("local", idle_limit_s=1.0)
    assert isinstance(target, LocalTarget)
    target.close()


@pytest.mark.parametrize("name", ["", "moon", "Local", "local:here", "replay", "replay:", ":", "iphone:"])
def test_there_is_no_such_target(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_target(name, idle_limit_s=1.0)
    assert "local" in caught.value.next_step


def test_a_replay_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="no recorded job"):
        choose_target(f"replay:{tmp_path}", idle_limit_s=1.0)


def test_another_runner(tmp_path: Path) -> None:
    with pytest.raises(HarnessError):
        choose_target("local", idle_limit_s=1.0, runner=tmp_path / "missing")
    choose_target("local", idle_limit_s=1.0, runner=runner_executable()).close()


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

"""The steps of the chain to a phone, and what each failing one says to do."""

from __future__ import annotations

import pytest

from harness.core.jobs import WIRE_VERSION
from harness.targets.iphone.checks import Route, Step, launch_route, phone_steps, runner_problem
from harness.targets.iphone.messages import AppInfo, PhoneState
from harness.targets.iphone.trouble import Trouble

OURS = "0.1.0"
RUNNER = AppInfo(bundle_id="org.team.runner", version=OURS, wire_version=WIRE_VERSION)
WELL = PhoneState(
    udid="0000-1",
    connection="USB",
    name="Anna's phone",
    product="iPhone16,2",
    ios="18.5",
    is_trusted=True,
    is_locked=False,
    developer_mode=True,
    image_mounted=True,
    runner=RUNNER,
    battery_level=0.8,
    is_charging=True,
    battery_celsius=28.0,
    low_power_mode=False,
    thermal_state="nominal",
    has_started=True,
)


def steps(**changes: object) -> dict[str, Step]:
    return {step.name: step for step in phone_steps(WELL.model_copy(update=changes), OURS)}


def test_a_phone_that_is_fit() -> None:
    found = steps()
    assert all(step.is_well and not step.next_step for step in found.values())
    assert list(found) == [
        "attached",
        "trust",
        "unlocked",
        "ios",
        "developer mode",
        "disk image",
        "runner",
        "starts",
        "battery",
        "low-power mode",
        "temperature",
    ]


@pytest.mark.parametrize(
    ("changes", "step", "advice", "is_needed"),
    [
        ({"is_locked": True}, "unlocked", Trouble.LOCKED.advice, True),
        ({"ios": "17.2"}, "ios", Trouble.UNSUPPORTED_IOS.advice, True),
        ({"developer_mode": False}, "developer mode", Trouble.DEVELOPER_MODE_OFF.advice, True),
        ({"image_mounted": False}, "disk image", Trouble.IMAGE_MISSING.advice, True),
        ({"runner": None}, "runner", Trouble.RUNNER_MISSING.advice, True),
        (
            {"runner": RUNNER.model_copy(update={"version": "0.0.9"})},
            "runner",
            Trouble.RUNNER_OLD.advice,
            True,
        ),
        (
            {"has_started": False, "trouble": Trouble.DEVELOPER_UNTRUSTED, "problem": "refused"},
            "starts",
            Trouble.DEVELOPER_UNTRUSTED.advice,
            True,
        ),
        ({"battery_level": 0.1, "is_charging": False}, "battery", "Charge", False),
        ({"low_power_mode": True}, "low-power mode", "Low Power Mode", False),
        ({"thermal_state": "serious"}, "temperature", "cool", False),
        ({"battery_celsius": 41.0}, "temperature", "cool", False),
    ],
)
def test_the_step_that_fails_says_what_to_do(
    changes: dict[str, object], step: str, advice: str, is_needed: bool
) -> None:
    found = steps(**changes)
    assert not found[step].is_well
    assert advice in found[step].next_step
    assert found[step].is_needed is is_needed
    assert all(one.is_well for name, one in found.items() if name != step)


def test_nothing_is_asked_of_a_phone_that_does_not_trust_us() -> None:
    state = PhoneState(udid="u", connection="USB", trouble=Trouble.TRUST_DENIED, problem="denied")
    attached, trust = phone_steps(state, OURS)
    assert attached.is_well and not trust.is_well
    assert trust.next_step == Trouble.TRUST_DENIED.advice


@pytest.mark.parametrize(
    ("ios", "route"),
    [
        ("15.8.3", Route.LOCKDOWN),
        ("16.7", Route.LOCKDOWN),
        ("17.0", None),
        ("17.3.1", None),
        ("17.4", Route.TUNNEL),
        ("18.5", Route.TUNNEL),
        ("26.1", Route.TUNNEL),
        ("garbage", Route.LOCKDOWN),
    ],
)
def test_how_each_ios_launches(ios: str, route: Route | None) -> None:
    assert launch_route(ios) is route


def test_which_runner_fits() -> None:
    assert runner_problem(OURS, WIRE_VERSION, OURS) is None
    assert "0.0.9" in (runner_problem("0.0.9", WIRE_VERSION, OURS) or "")
    assert "none" in (runner_problem(OURS, None, OURS) or "")
    assert "2" in (runner_problem(OURS, WIRE_VERSION + 1, OURS) or "")

"""The chain from this machine to a job on a phone, step by step, with what to do next where it breaks. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from harness.core.jobs import WIRE_VERSION
from harness.core.value import Value
from harness.targets.iphone.messages import PhoneState
from harness.targets.iphone.trouble import Trouble

LOW_BATTERY = 0.2
WARM_CELSIUS = 37.0
_FIRST_REFUSED, _FIRST_TUNNEL = (17, 0), (17, 4)


class Route(StrEnum):
    """How the app can be launched."""

    LOCKDOWN = "lockdown"
    TUNNEL = "tunnel"


class Step(Value):
    """One link of the chain. ``next_step`` is empty where all is well, or where a step before it failed."""

    name: str
    is_well: bool
    found: str
    next_step: str = ""
    is_needed: bool = True
    """Whether a run cannot do without it."""


def ios_version(text: str) -> tuple[int, int]:
    """``17.4.1`` → ``(17, 4)``; what cannot be read counts as 0."""
    parts = [int(part) if part.isdecimal() else 0 for part in text.split(".")[:2]]
    return (parts[0], parts[1] if len(parts) > 1 else 0)


def launch_route(ios: str) -> Route | None:
    """``None`` on 17.0–17.3: launching there needs a privileged tunnel daemon."""
    version = ios_version(ios)
    if version < _FIRST_REFUSED:
        return Route.LOCKDOWN
    return Route.TUNNEL if version >= _FIRST_TUNNEL else None


def runner_problem(version: str, wire_version: int | None, ours: str) -> str | None:
    """Why the installed runner does not serve this harness; ``None`` where it does."""
    if wire_version != WIRE_VERSION:
        return f"it speaks wire version {wire_version or 'none'}, this harness {WIRE_VERSION}"
    return None if version == ours else f"it is {version}, this harness is {ours}"


def phone_steps(state: PhoneState, ours: str) -> Iterator[Step]:
    """The steps of one attached phone, up to the first that keeps the others from being asked."""
    yield Step(name="attached", is_well=True, found=f"{state.udid} by {state.connection}")
    if not state.is_trusted:
        trouble = state.trouble or Trouble.TRUST_PENDING
        yield _bad("trust", trouble, state.problem or "the phone does not trust this computer yet")
        return
    yield Step(name="trust", is_well=True, found=f"{state.name} trusts this computer")
    if state.is_locked:
        yield _bad("unlocked", Trouble.LOCKED, "the screen is locked")
    else:
        yield Step(name="unlocked", is_well=True, found="the screen is unlocked")
    ios = state.ios or "unknown"
    route = launch_route(ios)
    if route is None:
        yield _bad("ios", Trouble.UNSUPPORTED_IOS, f"iOS {ios} launches apps only over a privileged tunnel")
    else:
        how = "lockdown" if route is Route.LOCKDOWN else "a tunnel in this process, no root needed"
        yield Step(name="ios", is_well=True, found=f"iOS {ios} on {state.product}; launches go over {how}")
    if state.developer_mode is False:
        yield _bad("developer mode", Trouble.DEVELOPER_MODE_OFF, "Developer Mode is off")
    elif state.developer_mode is not None:
        yield Step(name="developer mode", is_well=True, found="on")
    if state.image_mounted is not None:
        found = "mounted" if state.image_mounted else "no developer disk image is mounted"
        if state.image_mounted:
            yield Step(name="disk image", is_well=True, found=found)
        else:
            yield _bad("disk image", Trouble.IMAGE_MISSING, found)
    yield from _runner_steps(state, ours)
    yield from _condition_steps(state)
    if state.trouble is not None and state.has_started is None:
        yield _bad("answers", state.trouble, state.problem)


def _runner_steps(state: PhoneState, ours: str) -> Iterator[Step]:
    if state.runner is None:
        yield _bad("runner", Trouble.RUNNER_MISSING, "Harness Runner is not installed")
        return
    problem = runner_problem(state.runner.version, state.runner.wire_version, ours)
    if problem:
        yield _bad("runner", Trouble.RUNNER_OLD, f"{state.runner.bundle_id}: {problem}")
    else:
        runtime = f" with LiteRT {state.runner.runtime_version}" if state.runner.runtime_version else ""
        yield Step(
            name="runner", is_well=True, found=f"{state.runner.bundle_id} {state.runner.version}{runtime}"
        )
    if state.has_started:
        yield Step(name="starts", is_well=True, found="the runner started and answered")
    elif state.has_started is not None:
        yield _bad("starts", state.trouble or Trouble.REFUSED, state.problem)


def _condition_steps(state: PhoneState) -> Iterator[Step]:
    if state.battery_level is not None:
        low = state.battery_level < LOW_BATTERY and not state.is_charging
        charging = ", charging" if state.is_charging else ""
        yield Step(
            name="battery",
            is_well=not low,
            found=f"{state.battery_level:.0%}{charging}",
            next_step="Charge the phone: below 20 % iOS may save power, and figures change." if low else "",
            is_needed=False,
        )
    if state.low_power_mode is not None:
        on = state.low_power_mode
        yield Step(
            name="low-power mode",
            is_well=not on,
            found="on" if on else "off",
            next_step="Turn it off: Settings > Battery > Low Power Mode." if on else "",
            is_needed=False,
        )
    temperature = f"battery {state.battery_celsius:.0f} °C" if state.battery_celsius is not None else ""
    if state.thermal_state is not None or temperature:
        warm = state.thermal_state not in (None, "nominal") or (state.battery_celsius or 0) >= WARM_CELSIUS
        found = ", ".join(word for word in (state.thermal_state or "", temperature) if word)
        yield Step(
            name="temperature",
            is_well=not warm,
            found=found,
            next_step="Let the phone cool, out of its case and off the charger's heat." if warm else "",
            is_needed=False,
        )


def _bad(name: str, trouble: Trouble, found: str) -> Step:
    return Step(name=name, is_well=False, found=found, next_step=trouble.advice)

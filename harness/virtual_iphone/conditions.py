"""Heat and power: what the phone is in, and the file from which its app processes read it."""

from __future__ import annotations

import json
from pathlib import Path

from harness.core.value import Value
from harness.virtual_iphone.faults import ThermalState


class Conditions(Value):
    """What ``ProcessInfo`` and ``UIDevice`` tell an app. ``battery_level`` is 0 to 1."""

    thermal_state: ThermalState
    low_power_mode: bool
    battery_level: float
    is_charging: bool


def write_conditions(file: Path, conditions: Conditions) -> None:
    """Write what ``harness-runner run --conditions FILE`` reads; a reader never sees half of it."""
    text = json.dumps(conditions.model_dump(exclude={"is_charging"}))
    temporary = file.with_suffix(".new")
    temporary.write_text(text, "utf-8")
    temporary.replace(file)

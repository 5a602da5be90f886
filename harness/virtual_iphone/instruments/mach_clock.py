"""The phone's clock: Mach absolute time, in ticks of a 24 MHz counter as every Apple chip since the A14 has it."""

from __future__ import annotations

import time

# Ticks times NUMERATOR over DENOMINATOR are nanoseconds.
NUMERATOR, DENOMINATOR = 125, 3


def mach_ticks() -> int:
    return time.monotonic_ns() * DENOMINATOR // NUMERATOR

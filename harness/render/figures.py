"""Every number as a person reads it: its unit, and no more digits than its interval supports.

Times are in nanoseconds, sizes in bytes (1 MB is 10^6 bytes), proportions from 0 to 1. A spread has one
significant digit, two where the first is a 1; the figure it belongs to ends at the same decimal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.core.measurements import Interval, Proportion

ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
ALIKE = "≈ same"
_SIGNIFICANT_DIGITS = 4
_MOST_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit and how many base units (ns, bytes) it holds."""

    unit: str
    size: float


_TIME_SCALES = (Scale("s", 1e9), Scale("ms", 1e6), Scale("µs", 1e3), Scale("ns", 1.0))
_SIZE_SCALES = (Scale("GB", 1e9), Scale("MB", 1e6), Scale("kB", 1e3), Scale("B", 1.0))


def time_scale(values_ns: Iterable[float]) -> Scale:
    """The one unit for a column of times: the largest up to ms in which the smallest reaches 0.1."""
    return _scale(values_ns, _TIME_SCALES[1:], 0.1)


def size_scale(values_bytes: Iterable[float]) -> Scale:
    """The one unit for a column of sizes: MB, or smaller where the smallest is below 0.1 MB."""
    return _scale(values_bytes, _SIZE_SCALES[1:], 0.1)


def _scale(values: Iterable[float], scales: tuple[Scale, ...], least: float) -> Scale:
    positive = [value for value in values if value > 0]
    if not positive:
        return scales[0]
    smallest = min(positive)
    return next((scale for scale in scales if smallest >= least * scale.size), scales[-1])


def supported_decimals(spread: float) -> int:
    """Decimals at which ``spread`` has one significant digit, two where the first is a 1."""
    exponent = math.floor(math.log10(spread))
    leading = spread / 10.0**exponent
    return -exponent + (1 if leading < 1.95 else 0)


def significant_decimals(value: float, digits: int) -> int:
    """Decimals at which ``value`` has ``digits`` significant digits."""
    if value == 0:
        return 0
    return digits - 1 - math.floor(math.log10(abs(value)))


def fixed(value: float, decimals: int) -> str:
    """``value`` with so many decimals (below zero: rounded to tens, hundreds, …) and a true minus sign."""
    decimals = min(decimals, _MOST_DECIMALS)
    text = f"{round(value, decimals):.{max(decimals, 0)}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def signed(value: float, decimals: int) -> str:
    """As ``fixed``, with a plus sign on what is above zero."""
    text = fixed(value, decimals)
    return f"+{text}" if not text.startswith(MINUS) and any(digit in text for digit in "123456789") else text


def larger_side(value: float, interval: Interval) -> float:
    """The distance to the farther end: ``value`` ± it covers the whole interval."""
    return max(interval.high - value, value - interval.low, 0.0)


def with_spread(value: float, interval: Interval, scale: Scale) -> tuple[str, str]:
    """``("4.31", "±0.02")``: the figure and the larger side of its interval, in units of ``scale``.

    At most four significant digits; a spread smaller than the last of them shows as one of it.
    """
    scaled = value / scale.size
    spread = larger_side(value, interval) / scale.size
    most = significant_decimals(scaled, _SIGNIFICANT_DIGITS)
    decimals = min(most, supported_decimals(spread)) if spread > 0 else most
    shown = max(spread, 10.0**-decimals) if spread > 0 else 0.0
    return fixed(scaled, decimals), f"±{fixed(shown, decimals)}"


def quantity(value: float, scale: Scale, *, digits: int = 3) -> str:
    """``"4.31 ms"``: a figure without an interval, with ``digits`` significant digits."""
    scaled = value / scale.size
    decimals = max(significant_decimals(scaled, digits), 0)
    return f"{fixed(scaled, decimals)} {scale.unit}"


def time(value_ns: float) -> str:
    """``"4.31 ms"``, in the unit that suits the value."""
    return quantity(value_ns, _scale([value_ns], _TIME_SCALES, 1.0))


def size(value_bytes: float) -> str:
    """``"5.27 MB"``, in the decimal unit that suits the value."""
    scale = _scale([value_bytes], _SIZE_SCALES, 1.0)
    return f"{value_bytes:.0f} B" if scale.unit == "B" else quantity(value_bytes, scale)


def time_limit(limit_ns: float) -> str:
    """``"5 ms"``: a limit, as exactly as it was written down."""
    scale = _scale([limit_ns], _TIME_SCALES, 1.0)
    return f"{limit_ns / scale.size:g} {scale.unit}"


def size_limit(limit_bytes: float) -> str:
    """``"20 MB"``: a limit, as exactly as it was written down."""
    scale = _scale([limit_bytes], _SIZE_SCALES, 1.0)
    return f"{limit_bytes / scale.size:g} {scale.unit}"


def time_with_interval(value_ns: float, interval: Interval | None) -> str:
    """``"4.31 ms [4.29, 4.35]"``, ends rounded outward."""
    return _quantity_with_interval(value_ns, interval, _scale([value_ns], _TIME_SCALES, 1.0))


def size_with_interval(value_bytes: float, interval: Interval | None) -> str:
    """``"61.2 MB [60.1, 62.0]"``, ends rounded outward."""
    return _quantity_with_interval(value_bytes, interval, _scale([value_bytes], _SIZE_SCALES, 1.0))


def factor_with_interval(value: float, interval: Interval | None) -> str:
    """``"0.82x [0.80, 0.85]"``, ends rounded outward."""
    if interval is None:
        return f"{fixed(value, max(significant_decimals(value, 2), 2))}{TIMES}"
    decimals = _interval_decimals(value, interval, 2)
    return f"{fixed(value, decimals)}{TIMES} {bracketed(interval, decimals)}"


def _quantity_with_interval(value: float, interval: Interval | None, scale: Scale) -> str:
    if interval is None:
        return quantity(value, scale)
    scaled = Interval(low=interval.low / scale.size, high=interval.high / scale.size)
    decimals = _interval_decimals(value / scale.size, scaled, significant_decimals(value / scale.size, 4))
    return f"{fixed(value / scale.size, decimals)} {scale.unit} {bracketed(scaled, decimals)}"


def _interval_decimals(value: float, interval: Interval, most: int) -> int:
    spread = larger_side(value, interval)
    return max(min(most, supported_decimals(spread)), 0) if spread > 0 else max(most, 0)


def bracketed(interval: Interval, decimals: int) -> str:
    """``"[96.9, 99.3]"``, each end rounded outward, so that it never claims more than was shown."""
    power = 10.0**decimals
    low = math.floor(interval.low * power + 1e-9) / power
    high = math.ceil(interval.high * power - 1e-9) / power
    return f"[{fixed(low, decimals)}, {fixed(high, decimals)}]"


def percent(value: float, interval: Interval | None) -> tuple[str, str]:
    """``("98.4 %", "[96.9, 99.3]")``. Only all is 100 % and only none is 0 %."""
    points = 100 * value
    if interval is None:
        decimals = 1
    else:
        spread = 100 * larger_side(value, interval)
        decimals = max(min(supported_decimals(spread), 3), 0) if spread > 0 else 1
    text = fixed(points, decimals)
    while value not in (0.0, 1.0) and float(text) in (0.0, 100.0) and decimals < _MOST_DECIMALS:
        decimals += 1
        text = fixed(points, decimals)
    if value in (0.0, 1.0):
        text = fixed(points, 0)
    if interval is None:
        return f"{text} %", ""
    ends = Interval(low=100 * interval.low, high=100 * interval.high)
    return f"{text} %", _tidy_whole(bracketed(ends, decimals))


def _tidy_whole(text: str) -> str:
    for whole in ("100", "0"):
        for zeros in ("0", "00", "000"):
            text = text.replace(f" {whole}.{zeros}]", f" {whole}]").replace(
                f"[{whole}.{zeros},", f"[{whole},"
            )
    return text


def proportion(figure: Proportion) -> tuple[str, str]:
    """As ``percent``."""
    return percent(figure.value, figure.interval)


def percentage_points(difference: float, interval: Interval | None) -> tuple[str, str]:
    """``("-1.0 pp", "[-2.3, +0.3]")`` of a difference of proportions, with its sign."""
    points = 100 * difference
    if interval is None:
        return f"{signed(points, 1)} pp", ""
    ends = Interval(low=100 * interval.low, high=100 * interval.high)
    decimals = _interval_decimals(points, ends, 2)
    power = 10.0**decimals
    low = math.floor(ends.low * power + 1e-9) / power
    high = math.ceil(ends.high * power - 1e-9) / power
    return f"{signed(points, decimals)} pp", f"[{signed(low, decimals)}, {signed(high, decimals)}]"


def relative_change(value: float, base: float) -> str:
    """``"-73 %"``; from three times on ``"3.4x"``; ``"≈ same"`` below a twentieth of a percent."""
    ratio = value / base
    if ratio >= 3:
        return f"{fixed(ratio, max(significant_decimals(ratio, 2), 0))}{TIMES}"
    change = 100 * (ratio - 1)
    if abs(change) < 0.05:
        return ALIKE
    decimals = 1 if abs(change) < 1 or change < -99 else 0
    return f"{signed(change, decimals)} %"


def overlap(first: Interval, second: Interval) -> bool:
    """Whether two intervals share a point: then no difference is claimed."""
    return first.low <= second.high and second.low <= first.high


def significant(value: float) -> str:
    """Three significant digits, in powers of ten below a thousandth: for divergences and scores."""
    if value == 0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    return fixed(value, max(significant_decimals(value, 3), 0))


def score(value: float, *, is_probability: bool) -> str:
    """A class score: a probability with three decimals, else three significant digits."""
    if not is_probability:
        return significant(value)
    return "<0.001" if 0 < value < 0.0005 else fixed(value, 3)


def align_on_point(figures: list[str]) -> list[str]:
    """The same figures padded to one width, decimal points below each other."""
    parts = [(whole, point + rest) for whole, point, rest in (figure.partition(".") for figure in figures)]
    left = max((len(whole) for whole, _ in parts), default=0)
    right = max((len(rest) for _, rest in parts), default=0)
    return [f"{whole:>{left}}{rest:<{right}}" for whole, rest in parts]

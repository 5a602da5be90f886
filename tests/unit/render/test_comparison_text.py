from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rich.cells import cell_len

from harness.core.comparison import Comparison, compare
from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.render.comparison import terminal_comparison

Rounds = list[np.ndarray]


def rounds(scale_ms: float, seed: int) -> Rounds:
    generator = np.random.default_rng(seed)
    return [(scale_ms * 1e6 * generator.lognormal(0, 0.02, 200)).astype(np.int64) for _ in range(4)]


def compared(report: RunReport) -> Comparison:
    later = report.model_copy(
        update={
            "plan": report.plan.model_copy(update={"run_id": "later", "harness_version": "0.2.0"}),
            "results": tuple(
                one.model_copy(
                    update={"variant": one.variant.model_copy(update={"compressed_bytes": 4_000_000})}
                )
                if isinstance(one, Measurement) and one.variant.name == "int8"
                else one
                for one in report.results[1:]
            ),
        }
    )
    before = {"int8": rounds(1.87, 1), "float16": rounds(4.3, 2)}
    after = {"int8": rounds(1.5, 3), "float16": rounds(4.3, 4)}
    return compare(report, later, before, after)


def test_the_whole_comparison(
    report: RunReport, shown: Callable[..., str], check_snapshot: Callable[[str, str], None]
) -> None:
    check_snapshot("comparison-100.txt", shown(terminal_comparison(compared(report)), 100))


def test_it_says_what_was_refused(report: RunReport, shown: Callable[..., str]) -> None:
    settings = report.plan.settings.model_copy(update={"threads": 4})
    other = report.model_copy(update={"plan": report.plan.model_copy(update={"settings": settings})})
    text = shown(terminal_comparison(compare(report, other, {}, {})), 140)
    assert "another number of threads: 2 → 4; not compared: p50 latency, p90 latency, peak memory" in text


def test_it_fits_narrow_and_ascii_consoles(report: RunReport, shown: Callable[..., str]) -> None:
    for width, encoding in ((80, "utf-8"), (100, "ascii"), (90, "cp1252")):
        text = shown(terminal_comparison(compared(report)), width, encoding)
        assert max(cell_len(line) for line in text.splitlines()) <= width
        assert "4.41 MB" in text and "4.00 MB" in text

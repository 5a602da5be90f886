from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rich.cells import cell_len

from harness.core.changes import ComparedFigure, Conclusion
from harness.core.comparison import Comparison, compare
from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.render.comparison import terminal_comparison


def with_rounds(one: Measurement, p50_ms: float, seed: int) -> Measurement:
    p50 = 1e6 * p50_ms * np.random.default_rng(seed).lognormal(0, 0.005, 6)
    rounds = {"round_p50_ns": tuple(p50.tolist()), "round_p90_ns": tuple((1.1 * p50).tolist())}
    return one.model_copy(update={"latency": one.latency.model_copy(update=rounds)})


def compared(report: RunReport) -> Comparison:
    def of(run_id: str, int8_ms: float, seed: int) -> RunReport:
        results = tuple(
            with_rounds(one, int8_ms if one.variant.name == "int8" else 4.3, seed + index)
            for index, one in enumerate(report.results)
            if isinstance(one, Measurement)
        )
        plan = report.plan.model_copy(update={"run_id": run_id})
        return report.model_copy(update={"plan": plan, "results": results})

    before, later = of(report.plan.run_id, 1.87, 1), of("later", 1.5, 10)
    smaller = tuple(
        one.model_copy(update={"variant": one.variant.model_copy(update={"compressed_bytes": 4_000_000})})
        if isinstance(one, Measurement) and one.variant.name == "int8"
        else one
        for one in later.results[1:]
    )
    plan = later.plan.model_copy(update={"harness_version": "0.2.0"})
    return compare(before, later.model_copy(update={"results": smaller, "plan": plan}))


def test_the_whole_comparison(
    report: RunReport, shown: Callable[..., str], check_snapshot: Callable[[str, str], None]
) -> None:
    check_snapshot("comparison-100.txt", shown(terminal_comparison(compared(report)), 100))


def test_it_says_what_was_refused_and_what_to_do(report: RunReport, shown: Callable[..., str]) -> None:
    plan = report.plan.model_copy(update={"run_id": "other"})
    results = tuple(
        one.model_copy(update={"threads": 4}) for one in report.results if isinstance(one, Measurement)
    )
    other = report.model_copy(update={"results": results, "plan": plan})
    text = shown(terminal_comparison(compare(report, other)), 180)
    assert "another number of threads: 2 → 4; not compared: p50 latency, p90 latency, peak memory" in text
    assert "Run both with as many threads." in text


def test_it_says_what_a_second_run_saw(report: RunReport, shown: Callable[..., str]) -> None:
    comparison = compared(report)
    variants = []
    for one in comparison.variants:
        changes = tuple(
            change.model_copy(update={"confirmed": change.figure is ComparedFigure.P50_LATENCY})
            if change.conclusion is Conclusion.FASTER
            else change
            for change in one.changes
        )
        variants.append(one.model_copy(update={"changes": changes}))
    again = comparison.model_copy(update={"variants": tuple(variants), "confirmed_by": "second-run"})
    text = shown(terminal_comparison(again), 180)
    assert text.count("faster,") == 2
    assert "confirmed" in text and "not seen again" in text and "second run: second-run" in text


def test_it_fits_narrow_and_ascii_consoles(report: RunReport, shown: Callable[..., str]) -> None:
    for width, encoding in ((80, "utf-8"), (100, "ascii"), (90, "cp1252")):
        text = shown(terminal_comparison(compared(report)), width, encoding)
        assert max(cell_len(line) for line in text.splitlines()) <= width
        assert "4.41 MB" in text and "4.00 MB" in text

"""Series over runs: who belongs together, where a level changed, what is out of line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from core_records import device, measurement, not_measured
from test_comparison import run

from harness.core.history import HistoryPoint, PointFigure, Trend, Trended, points_of, series_of
from harness.core.report import RunReport

CALM = (100.0, 101.0, 99.5, 100.4, 100.2, 99.8, 100.9, 99.3)


def point(
    index: int,
    *,
    p50: float | None = 100.0,
    agreement: float = 0.99,
    file_bytes: int = 1000,
    runtime: str = "LiteRT 2.3.0",
) -> HistoryPoint:
    (made,) = points_of(run([measurement()], f"r{index:02}"))
    figures = {
        Trended.FILE_SIZE: PointFigure(value=file_bytes),
        Trended.TOP1_AGREEMENT: PointFigure(value=agreement),
    }
    if p50 is not None:
        figures[Trended.P50_LATENCY] = PointFigure(value=p50)
    return made.model_copy(
        update={
            "created_unix_ns": index,
            "figures": figures,
            "circumstances": {**made.circumstances, "runtime": runtime},
        }
    )


def trend(points: Sequence[HistoryPoint], figure: Trended) -> Trend:
    (series,) = series_of(points)
    (found,) = [one for one in series.trends if one.figure is figure]
    return found


def test_a_report_gives_a_point_for_each_measured_variant_with_only_what_was_measured() -> None:
    report: RunReport = run(
        [
            measurement("float32", top1=(98, 100), accuracy=(3, 1, 50), peaks=(7000, 9000)),
            not_measured("int8", "failed"),
            measurement("float16", rounds=([1000, 1001],)),
        ]
    )
    float32, float16 = points_of(report)
    assert float32.place.variant == "float32"
    assert float32.figures[Trended.TOP1_AGREEMENT].value == 0.98
    assert float32.figures[Trended.ACCURACY].value == 0.94
    assert float32.figures[Trended.PEAK_MEMORY].value == 9000
    assert float32.figures[Trended.P50_LATENCY].value == pytest.approx(1049.5, abs=1)
    assert float32.circumstances["runtime"] == "LiteRT 2.3.0"
    assert set(float16.figures) == {Trended.FILE_SIZE, Trended.COMPRESSED_SIZE, Trended.TOP1_AGREEMENT}


def test_series_are_told_apart_by_device_and_threads_and_stand_in_time_order() -> None:
    points = [
        *points_of(run([measurement(at=device(model="iPhone16,2"))], "b")),
        *points_of(run([measurement()], "a")),
        *points_of(run([measurement(threads=4)], "c")),
    ]
    assert [(one.place.device, one.place.threads) for one in series_of(points)] == [
        ("Desk", 2),
        ("Desk", 4),
        ("iPhone16,2", 2),
    ]
    (series,) = series_of([point(3), point(1), point(2)])
    assert [one.run_id for one in series.runs] == ["r01", "r02", "r03"]


def test_a_run_that_is_also_a_baseline_counts_once() -> None:
    (series,) = series_of([point(1), point(1), point(2)])
    assert [one.run_id for one in series.runs] == ["r01", "r02"]


def test_a_slower_level_is_marked_where_it_begins_with_what_changed_there() -> None:
    points = [point(index, p50=value) for index, value in enumerate(CALM)]
    points += [
        point(index, p50=1.2 * value, runtime="LiteRT 2.4.0") for index, value in enumerate(CALM, start=8)
    ]
    (shift,) = trend(points, Trended.P50_LATENCY).shifts
    assert shift.index == 8
    assert shift.ratio == pytest.approx(1.2, abs=0.01)
    (series,) = series_of(points)
    assert series.changed_at(8) == {"runtime": ("LiteRT 2.3.0", "LiteRT 2.4.0")}
    assert series.changed_at(7) == {}
    assert series.changed_at(0) == {}


def test_one_run_out_of_line_is_a_surprise_not_a_shift() -> None:
    found = trend(
        [point(index, p50=value) for index, value in enumerate((*CALM, 115.0))], Trended.P50_LATENCY
    )
    assert found.shifts == ()
    assert found.surprise is not None
    assert found.surprise.value == 115.0
    assert found.surprise.expected.low < 99 < 101 < found.surprise.expected.high < 115


def test_a_run_in_line_is_no_surprise_and_too_few_runs_let_expect_nothing() -> None:
    calm = [point(index, p50=value) for index, value in enumerate((*CALM, 101.5))]
    assert trend(calm, Trended.P50_LATENCY).surprise is None
    few = [point(index, p50=value) for index, value in enumerate((100.0, 100.0, 100.0, 200.0))]
    assert trend(few, Trended.P50_LATENCY).surprise is None


def test_runs_that_are_alike_to_the_nanosecond_promise_no_such_precision() -> None:
    same = [point(index, p50=value) for index, value in enumerate((100.0,) * 6 + (104.0,))]
    assert trend(same, Trended.P50_LATENCY).surprise is None


def test_sizes_are_exact_so_each_change_is_one() -> None:
    points = [point(index, file_bytes=size) for index, size in enumerate((1000, 1000, 1001, 1001))]
    (shift,) = trend(points, Trended.FILE_SIZE).shifts
    assert (shift.index, shift.before, shift.after) == (2, 1000, 1001)


def test_agreement_is_judged_by_its_errors() -> None:
    fell = [point(index, agreement=0.99 if index < 8 else 0.96) for index in range(16)]
    (shift,) = trend(fell, Trended.TOP1_AGREEMENT).shifts
    assert (shift.index, round(shift.before, 6), round(shift.after, 6)) == (8, 0.99, 0.96)
    wobbled = [point(index, agreement=0.99 if index < 8 else 0.988) for index in range(16)]
    assert trend(wobbled, Trended.TOP1_AGREEMENT).shifts == ()


def test_a_run_without_the_figure_is_left_out_of_its_trend() -> None:
    found = trend([point(0), point(1, p50=None), point(2)], Trended.P50_LATENCY)
    assert found.points == ((0, 100.0), (2, 100.0))

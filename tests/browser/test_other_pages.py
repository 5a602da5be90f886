"""The pages of comparisons and of the history, in a real browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import render_records
from open_pages import Opener, wait_until
from page_records import HOSTILE

from harness.core.comparison import compare
from harness.core.device_group import DeviceGroup, DeviceReport, GroupDevice, group_report
from harness.core.history import HistoryPoint, PointFigure, Trended, points_of, series_of
from harness.core.measurements import Interval
from harness.render.html.comparison_page import html_comparison
from harness.render.html.group_page import html_group
from harness.render.html.history_page import html_history
from harness.render.html.report_page import html_report


def comparison_page() -> str:
    """From the records' run to one whose int8 agrees less and is smaller; what is hostile stands in its names."""
    a = render_records.report()
    results = list(a.results)
    int8 = results[3]
    assert int8.outcome == "measured"
    more = tuple(render_records.disagreement(100 + index, 1, 2, 0.5, 0.2) for index in range(60))
    results[3] = int8.model_copy(
        update={
            "variant": int8.variant.model_copy(update={"compressed_bytes": 3_000_000}),
            "agreement": int8.agreement.model_copy(
                update={
                    "top1": render_records.proportion(427, 500),
                    "disagreements": (*int8.agreement.disagreements, *more),
                }
            ),
        }
    )
    b = a.model_copy(
        update={
            "results": tuple(results),
            "plan": a.plan.model_copy(update={"run_id": "later", "harness_version": HOSTILE}),
        }
    )
    return html_comparison([compare(a, b)])


def history_points(runs: int = 24) -> list[HistoryPoint]:
    """int8 grows slower by a third at run 15, when the runtime changed."""
    report = render_records.report()
    made = next(point for point in points_of(report) if point.place.variant == "int8")
    random = np.random.default_rng(0)
    found = []
    for index in range(runs):
        p50 = (1.87e6 if index < 15 else 2.5e6) * random.normal(1, 0.004)
        agreement = PointFigure(value=0.974, interval=Interval(low=0.956, high=0.986))
        found.append(
            made.model_copy(
                update={
                    "run_id": f"run-{index:02}",
                    "release": HOSTILE if index == 15 else f"1.{index}",
                    "created_unix_ns": 1_795_169_472 * 10**9 + index * 86_400 * 10**9,
                    "figures": {
                        Trended.P50_LATENCY: PointFigure(value=p50),
                        Trended.TOP1_AGREEMENT: agreement,
                        Trended.FILE_SIZE: PointFigure(value=5_271_072),
                    },
                    "circumstances": {"runtime": "LiteRT 2.3.0" if index < 15 else "LiteRT 2.4.0"},
                }
            )
        )
    return found


def test_a_comparison_shows_what_is_worse(open_page: Opener, tmp_path: Path) -> None:
    file = tmp_path / "comparison.html"
    file.write_text(comparison_page(), encoding="utf-8")
    page = open_page(file, width=375).page
    assert page.inner_text(".verdict h2").split("\n")[-1].strip().endswith("1 worse, 1 better")
    rows = page.locator("table tbody tr")
    worse = rows.filter(has=page.locator(".badge.fail"))
    assert worse.count() == 1
    assert worse.inner_text().split("\t")[:3] == ["int8", "top-1 agreement", "97.4 %"]
    assert HOSTILE in page.inner_text(".facts")
    assert page.locator("#chart-comparison-0 canvas").count() == 1
    wait_until(page, "document.documentElement.scrollWidth <= 375")
    page.locator("thead button", has_text="Conclusion").click()
    assert page.locator("th[aria-sort]").count() == 1


def test_the_history_marks_where_a_level_changed(open_page: Opener, tmp_path: Path) -> None:
    file = tmp_path / "history.html"
    file.write_text(html_history(series_of(history_points())), encoding="utf-8")
    page = open_page(file, width=375).page
    note = page.locator(".notice", has_text="p50 latency changed")
    assert "LiteRT 2.3.0 → LiteRT 2.4.0" in note.inner_text() and HOSTILE in note.inner_text()
    chart = "echarts.getInstanceByDom(document.getElementById('chart-0-0')).getOption().series[2]"
    assert page.evaluate(f"{chart}.data.length") == 24
    assert page.evaluate(f"{chart}.markLine.data.map((one) => one.xAxis)") == [15]
    wait_until(page, "document.documentElement.scrollWidth <= 375")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator("summary", has_text="Runs").click()
    assert page.locator("table tbody tr").count() == 24


def test_several_devices_have_a_column_each_and_pages_of_their_own(open_page: Opener, tmp_path: Path) -> None:
    report = render_records.report()
    devices = (
        DeviceReport(label=HOSTILE, target="iphone:1", report=report),
        DeviceReport(label="2: iPhone16,2, iOS 26.1", target="iphone:2", problem="the cable came off"),
    )
    group = DeviceGroup(
        run_id="20261126-101112-000-two",
        created_unix_ns=1,
        suite_name="two",
        target="iphone:*",
        devices=tuple(GroupDevice(folder=f"two.{index}", target=f"iphone:{index}") for index in (1, 2)),
    )
    file = tmp_path / "group.html"
    file.write_text(html_group(group_report(group, devices), {0: "group #1.html"}), encoding="utf-8")
    (tmp_path / "group #1.html").write_text(html_report(report), encoding="utf-8")
    page = open_page(file, width=375).page
    heads = page.locator("table >> nth=1 >> thead th").all_inner_texts()
    assert heads[2:] == [HOSTILE, "2: iPhone16,2, iOS 26.1"]
    assert "the cable came off" in page.inner_text("table >> nth=0")
    wait_until(page, "document.documentElement.scrollWidth <= 375")
    assert page.get_by_role("link", name=HOSTILE).get_attribute("href") == "group%20%231.html"

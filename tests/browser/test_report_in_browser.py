"""The report in a real browser: it works without a request, and hostile texts stay texts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from open_pages import Opener, wait_until
from page_records import HOSTILE, HOSTILE_LABEL, exhibits, hostile_report, series

from harness.render.html.exhibits import Exhibits
from harness.render.html.report_page import html_report
from harness.render.html.sample_columns import EMBEDDED_SAMPLES

CHART = "echarts.getInstanceByDom(document.getElementById('chart-samples'))"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "a report #1.html"
    file.write_text(html_report(hostile_report(), exhibits()), encoding="utf-8")
    return file


def test_it_draws_every_chart(open_page: Opener, report: Path) -> None:
    page = open_page(report).page
    page.wait_for_selector("#sample-browser:not([hidden])")
    for name in ("tradeoff", "distribution", "samples", "weather", "memory", "sizes", "agreement"):
        canvas = page.locator(f"#chart-{name} canvas").first
        box = canvas.bounding_box()
        assert box is not None and box["width"] > 300 and box["height"] > 60, name
        # Something is drawn: the canvas holds more than one colour.
        colours = canvas.evaluate(
            "(c) => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
        )
        assert colours > 3, name
    assert page.get_attribute("#chart-tradeoff", "role") == "img"


def test_hostile_texts_are_shown_as_texts(open_page: Opener, report: Path) -> None:
    page = open_page(report).page
    assert page.title() == "UNDECIDED: effnet-lite0"
    assert page.locator("article h3", has_text=HOSTILE).count() == 1
    assert page.locator("article strong", has_text=HOSTILE_LABEL).count() > 0
    assert page.locator("main img").evaluate_all("(all) => all.every((one) => one.src.startsWith('data:'))")
    page.fill("#sample-number", "11")
    page.dispatch_event("#sample-number", "change")
    assert HOSTILE in page.inner_text("#sample-details")
    assert page.evaluate("document.title") == "UNDECIDED: effnet-lite0"


def test_a_table_sorts_by_its_figures(open_page: Opener, report: Path) -> None:
    page = open_page(report).page
    names = "#variants table.figures >> nth=0 >> tbody th"
    before = page.locator(names).all_inner_texts()
    head = page.locator("#variants table.figures >> nth=0 >> thead button", has_text="p50")
    head.press("Enter")
    assert page.locator(names).all_inner_texts() == ["int8", "dynamic-int8", "float32", "float16"]
    assert page.locator("#variants thead th[aria-sort=ascending]").inner_text().startswith("p50")
    head.press("Enter")
    assert page.locator(names).all_inner_texts() == ["float16", "float32", "dynamic-int8", "int8"]
    assert sorted(before) == sorted(page.locator(names).all_inner_texts())


def test_what_was_not_measured_sorts_last(open_page: Opener, report: Path) -> None:
    page = open_page(report).page
    head = page.locator("#latency thead button", has_text="p99")
    for _ in range(2):
        head.click()
        assert page.locator("#latency table tbody th").all_inner_texts()[-1] == "dynamic-int8"


def test_disagreements_are_filtered_searched_and_sorted(open_page: Opener, report: Path) -> None:
    page = open_page(report).page
    every = page.locator("article.disagreement").count()
    assert page.inner_text("#card-count") == f"{every} of {every} inputs"
    page.select_option("#card-variant", "dynamic-int8")
    assert page.locator("article.disagreement:visible").count() == 5
    assert set(page.locator("article li:visible .who").all_inner_texts()) == {"dynamic-int8"}
    page.select_option("#card-variant", "")
    page.select_option("#card-fate", "lost")
    assert page.locator("article.disagreement:visible").count() == 1
    page.select_option("#card-fate", "")
    page.fill("#card-find", "kitchen_0012")
    assert page.locator("article.disagreement:visible h3").all_inner_texts() == ["kitchen_0012.jpg#view2"]
    page.fill("#card-find", "")
    page.select_option("#card-sort", "margin")
    margins = page.locator("article.disagreement").evaluate_all(
        "(all) => all.map((one) => +one.dataset.margin)"
    )
    assert margins == sorted(margins, reverse=True) and len(margins) == every


def test_every_sample_can_be_opened_by_keyboard(open_page: Opener, report: Path) -> None:
    page = open_page(report).page
    page.wait_for_selector("#sample-browser:not([hidden])")
    page.select_option("#sample-variant", label="int8")
    page.focus("#sample-number")
    page.keyboard.press("Control+A")
    page.keyboard.type("150")
    page.keyboard.press("Tab")
    expected = series("int8", 300, 1.9, 3)
    assert "sample 150 of 300: " in page.inner_text("#sample-details")
    page.press("#sample-next", "Enter")
    slowest = int(expected.latencies_ns.argmax())
    assert slowest == 150
    text = page.inner_text("#sample-details")
    assert "sample 151 of 300" in text and f"{expected.latencies_ns[slowest] / 1e6:.4g} ms" in text
    assert f"input {expected.inputs[slowest]}: kitchen_0150.jpg" in text and "round 2" in text
    page.click("#sample-previous")
    page.click("#sample-slowest")
    assert "sample 151 of 300" in page.inner_text("#sample-details")


def test_a_mark_opens_its_sample(open_page: Opener, report: Path) -> None:
    page = open_page(report).page
    page.wait_for_selector("#sample-browser:not([hidden])")
    page.locator("#chart-samples").scroll_into_view_if_needed()
    place = page.evaluate(
        """() => {
          const chart = echarts.getInstanceByDom(document.getElementById("chart-samples"));
          const series = chart.getOption().series[0];
          return chart.convertToPixel({ seriesIndex: 0 }, series.data[series.data.length - 1].value);
        }"""
    )
    page.locator("#chart-samples").click(position={"x": place[0], "y": place[1]})
    wait_until(page, "document.getElementById('sample-details').textContent.includes('sample')")


def test_zooming_in_shows_each_sample_by_itself(open_page: Opener, tmp_path: Path) -> None:
    file = tmp_path / "long.html"
    many = (series("int8", 60_000, 1.9), series("float32", 60_000, 4.3))
    file.write_text(html_report(hostile_report(), Exhibits(series=many)), encoding="utf-8")
    page = open_page(file).page
    page.wait_for_selector("#sample-browser:not([hidden])")
    marks = f"{CHART}.getOption().series.map((one) => one.data.length)"
    whole = page.evaluate(marks)
    assert all(300 < count < 3_000 for count in whole)
    page.evaluate(f"{CHART}.dispatchAction({{type: 'dataZoom', start: 20, end: 20.2}})")
    wait_until(page, f"Math.max(...{marks}) < 400")
    # A five-hundredth of the whole time: some 270 samples of 1.9 ms, 120 of 4.3 ms, each a mark of its own.
    assert [round(count, -2) for count in page.evaluate(marks)] == [300, 100]
    page.fill("#sample-number", "60000")
    page.dispatch_event("#sample-number", "change")
    assert "sample 60,000 of 60,000" in page.inner_text("#sample-details")


def test_a_page_that_holds_only_the_extremes_opens_the_nearest(open_page: Opener, tmp_path: Path) -> None:
    file = tmp_path / "huge.html"
    big = series("int8", EMBEDDED_SAMPLES + 100)
    file.write_text(html_report(hostile_report(), Exhibits(series=(big,))), encoding="utf-8")
    page = open_page(file).page
    page.wait_for_selector("#sample-browser:not([hidden])")
    page.fill("#sample-number", str(int(big.latencies_ns.argmax()) + 1))
    page.dispatch_event("#sample-number", "change")
    assert f"sample {int(big.latencies_ns.argmax()) + 1:,} of" in page.inner_text("#sample-details")
    assert f"{big.latencies_ns.max() / 1e6:.4g} ms" in page.inner_text("#sample-details")


def test_dark_and_light(open_page: Opener, report: Path) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    dark, light = open_page(report, dark=True).page, open_page(report).page
    assert dark.evaluate(background) == "rgb(13, 16, 21)"
    assert light.evaluate(background) == "rgb(245, 246, 248)"
    ink = "echarts.getInstanceByDom(document.getElementById('chart-tradeoff')).getOption().textStyle.color"
    assert (dark.evaluate(ink), light.evaluate(ink)) == ("#e7ebf0", "#171a1f")
    light.click("#theme")
    light.click("#theme")
    assert light.inner_text("#theme") == "Theme: dark"
    assert light.evaluate(background) == "rgb(13, 16, 21)" and light.evaluate(ink) == "#e7ebf0"
    light.reload()
    assert light.inner_text("#theme") == "Theme: dark"


def test_no_horizontal_scroll(open_page: Opener, report: Path) -> None:
    page = open_page(report, width=375).page
    page.wait_for_selector("#sample-browser:not([hidden])")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for width in (375, 320, 768, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        # The charts follow the window a frame later.
        wait_until(page, f"document.documentElement.scrollWidth <= {width}")


def test_headings_names_and_landmarks(open_page: Opener, report: Path) -> None:
    """What a screen reader goes by."""
    page = open_page(report).page
    assert page.locator("h1").count() == 1 and page.locator("main").count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all("(all) => all.map((one) => +one.tagName[1])")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, canvas, [role=img], [role=region], table")]
          .filter((one) => !(one.textContent.trim() || one.labels?.length || one.ariaLabel))
          .filter((one) => !one.closest("[role=img]"))
          .map((one) => one.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("table:not(:has(caption))").count() == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


def test_it_prints(open_page: Opener, report: Path) -> None:
    page = open_page(report, dark=True).page
    page.wait_for_selector("#sample-browser:not([hidden])")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").evaluate("(one) => getComputedStyle(one).display") == "none"
    assert page.pdf(format="A4", print_background=True).startswith(b"%PDF")
    assert json.loads(page.inner_text("#data") or page.text_content("#data") or "")["variants"]

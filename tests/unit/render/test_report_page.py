"""The page: whole, self-contained, and deaf to what texts in it try to be."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
import render_records
from numpy.typing import NDArray
from page_records import HOSTILE, HOSTILE_LABEL, exhibits, hostile_report, series

from harness.core.report import RunReport
from harness.core.workload import Task
from harness.render.html.disagreement_cards import confusions, disagreement_cards
from harness.render.html.exhibits import Exhibits
from harness.render.html.report_page import html_report
from harness.render.html.sample_columns import EMBEDDED_SAMPLES, embedded, is_thinned

_ECHARTS_SHA256 = "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"


class _Page(HTMLParser):
    """Elements, attributes and text; scripts and data apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.data = ""
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = "data" if dict(attrs).get("type") == "application/json" else tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside == "data":
            self.data += data
        elif not self._inside:
            self.text += data


@pytest.fixture(scope="module")
def page() -> _Page:
    return _Page(html_report(hostile_report(), exhibits()))


def test_the_page_loads_nothing(page: _Page) -> None:
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "poster"):
            target = attributes.get(name)
            assert target is None or target.startswith(("#", "data:")), (tag, target)
    assert not {tag for tag, _ in page.tags} & {"iframe", "object", "embed", "form", "base"}
    (policy,) = [
        str(attributes["content"])
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")
    hashes = set(re.findall(r"'sha256-([^']+)'", policy))
    assert hashes == {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts
    }
    assert "unsafe-eval" not in policy and "unsafe-inline" not in policy.split("style-src")[0]


def test_texts_of_others_stay_text(page: _Page) -> None:
    assert page.text.count(HOSTILE) >= 4
    assert HOSTILE_LABEL in page.text
    tags = [tag for tag, _ in page.tags]
    assert "b" not in tags and "i" not in tags
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert json.loads(page.data)["input_names"][10] == HOSTILE
    assert "49" not in page.text.partition("{{7*7}}")[0][-5:]


def test_the_page_is_small_and_has_every_section() -> None:
    text = html_report(render_records.report(), exhibits(20_000))
    assert len(text.encode()) < 3_000_000
    names = "verdict variants latency memory size agreement disagreements explanations operations findings environment"
    for section in names.split(" "):
        assert f'<section id="{section}"' in text, section


def test_a_report_alone_is_a_page() -> None:
    report = render_records.report()
    text = html_report(report)
    assert 'id="chart-samples"' not in text
    nothing = report.model_copy(update={"results": (), "reference_variant": None, "findings": ()})
    assert "<main" in html_report(nothing)


def test_the_first_screen_says_the_verdict_and_why(page: _Page) -> None:
    start = page.text.index("Undecided")
    assert page.text.index("About 3100 more inputs") - start < 600
    points = json.loads(page.data)["tradeoff"]
    assert points["latency"] == "p90 latency"
    assert [one["variant"] for one in points["points"]] == ["float32", "float16", "dynamic-int8", "int8"]
    assert [one["variant"] for one in points["points"] if one["frontier"]] == [
        "float32",
        "dynamic-int8",
        "int8",
    ]
    assert [limit["value"] for limit in points["limits_x"]] == [5.0]
    assert [limit["value"] for limit in points["limits_y"]] == [0.95]


def _integers(packed: str, count: int) -> NDArray[np.int64]:
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8).reshape(4, count)
    return np.ascontiguousarray(planes.T).view("<u4").ravel().astype(np.int64)


def test_every_sample_is_in_the_page() -> None:
    one = series(samples=999)
    (entry,) = embedded([one])
    assert entry["total"] == entry["shown"] == 999 and entry["numbers"] is None
    assert _integers(entry["latencies"], 999).tolist() == one.latencies_ns.tolist()
    assert (np.cumsum(_integers(entry["inputs"], 999)) % 2**32).tolist() == one.inputs.tolist()
    started = np.cumsum(_integers(entry["started"], 999)) % 2**32
    assert started.tolist() == (one.started_ns // entry["tick_ns"]).tolist()
    assert [stretch[0] for stretch in entry["stretches"]] == [one.first for one in one.stretches]


def test_beyond_the_limit_the_extremes_stay() -> None:
    big = series(samples=EMBEDDED_SAMPLES + 3)
    assert is_thinned([big]) and not is_thinned([series()])
    (entry,) = embedded([big])
    shown = entry["shown"]
    assert shown < EMBEDDED_SAMPLES / 4
    numbers = np.cumsum(_integers(entry["numbers"], shown)) % 2**32
    latencies = _integers(entry["latencies"], shown)
    assert latencies.tolist() == big.latencies_ns[numbers].tolist()
    assert latencies.max() == big.latencies_ns.max() and latencies.min() == big.latencies_ns.min()


def test_latencies_beyond_32_bits_keep_their_order() -> None:
    slow = series(samples=30, median_ms=9_000)
    (entry,) = embedded([slow])
    assert entry["unit_ns"] > 1
    read = _integers(entry["latencies"], 30) * entry["unit_ns"]
    assert np.abs(read - slow.latencies_ns).max() < entry["unit_ns"]


def test_what_the_reference_got_right_comes_first() -> None:
    cards = disagreement_cards(render_records.report(), {})
    order = [("lost", "unknown", "both wrong", "repaired").index(card.fate) for card in cards]
    assert order == sorted(order) and cards[0].fate == "lost" and cards[-1].fate == "repaired"
    unknown = [card.margin for card in cards if card.fate == "unknown"]
    assert unknown == sorted(unknown, reverse=True)
    assert {card.input_index for card in cards} == {
        one.input_index
        for result in render_records.report().results
        if result.outcome == "measured"
        for one in result.agreement.disagreements
    }


def test_confusions_count_every_disagreement() -> None:
    report: RunReport = render_records.report()
    disagreements = sum(
        len(result.agreement.disagreements) for result in report.results if result.outcome == "measured"
    )
    found = confusions(report)
    assert sum(pair.total for pair in found) == disagreements
    assert [pair.total for pair in found] == sorted((pair.total for pair in found), reverse=True)


def test_where_samples_are_left_out_the_page_says_where_they_are() -> None:
    big = (series(samples=EMBEDDED_SAMPLES + 3),)
    text = html_report(render_records.report(), Exhibits(series=big, samples_file="run.samples.csv.gz"))
    assert 'href="run.samples.csv.gz"' in text and "200,003" in text
    assert "--samples" in html_report(render_records.report(), Exhibits(series=big))


def test_the_chart_library_is_the_released_file() -> None:
    """docs/decisions/0002-charts.md names the release."""
    library = (files("harness.render.html") / "assets" / "echarts.min.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() == _ECHARTS_SHA256


def test_a_text_in_dispute_is_shown_as_the_text_it_is() -> None:
    report = render_records.report()
    inputs = tuple(
        one.model_copy(update={"group": f"texts.tsv:{index}"})
        for index, one in enumerate(report.workload.inputs)
    )
    workload = report.workload.model_copy(update={"task": Task.TEXT_CLASSIFICATION, "inputs": inputs})
    cards = disagreement_cards(report.model_copy(update={"workload": workload}), {})
    card = next(card for card in cards if card.input_index == 10)
    assert (card.name, card.text) == ("texts.tsv:10", "kitchen_0010.jpg#view0")

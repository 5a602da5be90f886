"""The report as a page: verdict and trade-off first, then everything behind them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from harness.core.events import Memory
from harness.core.explanation import Explanation
from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.core.verdict import Answer
from harness.render import figures
from harness.render.chain import HEADINGS as CHAIN_HEADINGS
from harness.render.figure_tables import measured
from harness.render.html.chart_data import MEMORY_KINDS, chart_data, memory_kinds, tradeoff_in_words
from harness.render.html.disagreement_cards import MOST_CARDS, confusions, disagreement_cards
from harness.render.html.exhibits import Exhibits
from harness.render.html.page import CHART_SCRIPTS, html_page
from harness.render.html.sample_columns import embedded, is_thinned
from harness.render.judgement import Judgement, result_figure, rule_in_words
from harness.render.operations import operation_profiles
from harness.render.plain_text import one_line
from harness.render.view import report_view

_MOST_CONFUSIONS = 200
_MOST_NAMES = 20_000
_MOST_LAYERS = 1_000


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A figure and what it sorts by."""

    text: str
    value: float | None
    detail: str = ""


def html_report(report: RunReport, exhibits: Exhibits | None = None) -> str:
    """The whole page as text; pure.

    Every text from a file or a device is escaped; the page's own policy allows no request and no other script.
    """
    exhibits = exhibits or Exhibits()
    view = report_view(report)
    cards = disagreement_cards(report, exhibits.pictures)
    names = [one_line(one.name) for one in report.workload.inputs[:_MOST_NAMES]]
    return html_page(
        "report.html",
        {
            "title": f"{view.judgement.answer.upper()}: {view.suite}",
            "view": view,
            "tradeoff_words": tradeoff_in_words(report),
            "rules": _rule_matrix(report, view.judgement),
            "not_passed": [one for one in (*view.judgement.rules, *view.judgement.others) if one.reason],
            "explanations": [_explanation(one) for one in exhibits.explanations],
            "profiles": operation_profiles(exhibits.profiles),
            "latency_rows": list(_latency_rows(report)),
            "memory": _memory_table(measured(report)),
            "agreement_rows": list(_agreement_rows(report)),
            "cards": cards[:MOST_CARDS],
            "cards_left_out": max(len(cards) - MOST_CARDS, 0),
            "card_variants": list(dict.fromkeys(answer.variant for card in cards for answer in card.answers)),
            "confusions": confusions(report)[:_MOST_CONFUSIONS],
            "variants": [one_line(one.variant.name) for one in measured(report)],
            "chain_headings": CHAIN_HEADINGS,
            "chain_rows": [astuple(row) for row in view.chain.rows] if view.chain else [],
            "samples_total": sum(map(len, exhibits.series)),
            "has_weather": len(exhibits.weather) > 1,
            "samples_thinned": is_thinned(exhibits.series),
            "samples_file": exhibits.samples_file,
            "environment": list(_environment(report)),
            "builds": list(_builds(report)),
            "commands": _commands(report),
            "suite_toml": report.plan.suite_toml,
        },
        data={
            **chart_data(report, exhibits.series, exhibits.weather),
            "samples": embedded(exhibits.series),
            "input_names": names,
        },
        scripts=(*CHART_SCRIPTS, "report_charts.js", "samples.js"),
    )


def _rule_matrix(
    report: RunReport, judged: Judgement
) -> tuple[list[str], list[tuple[str, list[tuple[Answer, str] | None]]]]:
    """The rules, and for each variant the answer and figure of each of them: the candidates first."""
    results = report.verdict.results
    rules = list(dict.fromkeys(rule_in_words(one.rule) for one in results))
    cells = {
        (one_line(one.variant), rule_in_words(one.rule)): (one.answer, result_figure(one)) for one in results
    }
    names = dict.fromkeys(one_line(one.variant) for one in results)
    ordered = sorted(names, key=lambda name: name not in judged.candidates)
    return rules, [(name, [cells.get((name, rule)) for rule in rules]) for name in ordered]


def _latency_rows(report: RunReport) -> Iterator[tuple[str, list[_Quantity]]]:
    """Variant, then samples, p50, p90, p99, load, compile, first run."""
    for one in measured(report):
        steady = one.latency.steady
        cells = [_Quantity(f"{steady.samples:,}", steady.samples)]
        for estimate in (steady.p50, steady.p90, steady.p99):
            text = (
                figures.ABSENT
                if estimate is None
                else figures.time_with_interval(estimate.value, estimate.interval)
            )
            cells.append(_Quantity(text, estimate.value if estimate else None))
        cells += [
            _median(durations)
            for durations in (one.latency.load_ns, one.latency.compile_ns, one.latency.first_run_ns)
        ]
        yield one_line(one.variant.name), cells


def _explanation(found: Explanation) -> dict[str, Any]:
    def quantity(value: float | None) -> _Quantity:
        return _Quantity(figures.ABSENT if value is None else figures.significant(value), value)

    return {
        "variant": one_line(found.variant),
        "disagreements": found.disagreements,
        "layer_inputs": found.layer_inputs,
        "links": [
            {
                "factor": one_line(link.factor),
                "from": one_line(link.a),
                "to": one_line(link.b),
                "agreement": " ".join(figures.proportion(link.agreement)),
                "explains": _Quantity(
                    figures.ABSENT if link.explains is None else str(link.explains), link.explains
                ),
                "difference": "none, bit by bit"
                if link.bit_identical
                else quantity(link.largest_difference).text,
            }
            for link in (*found.links, *found.beside)
        ],
        "layers": [
            {
                "place": layer.operation.index,
                "operation": one_line(layer.operation.op),
                "tensor": one_line(layer.operation.tensor),
                "error": quantity(layer.operation.error),
                "added": quantity(layer.added),
                "blamed": layer.blamed,
            }
            for layer in found.layers[:_MOST_LAYERS]
        ],
    }


def _median(durations_ns: Sequence[int]) -> _Quantity:
    if not durations_ns:
        return _Quantity(figures.ABSENT, None)
    middle = sorted(durations_ns)[(len(durations_ns) - 1) // 2]
    return _Quantity(figures.time(middle), middle)


def _memory_table(found: Sequence[Measurement]) -> dict[str, Any]:
    """Rows of variant and stage, a column for each kind that was told."""
    kinds = memory_kinds(found)

    def cells(memory: Memory) -> list[_Quantity]:
        values = [getattr(memory, kind) for kind in kinds]
        return [
            _Quantity(figures.ABSENT, None) if value is None else _Quantity(figures.size(value), value)
            for value in values
        ]

    return {
        "kinds": [MEMORY_KINDS[kind] for kind in kinds],
        "rows": [
            (one_line(one.variant.name), stage.replace("_", " "), cells(memory))
            for one in found
            for stage, memory in one.memory.by_stage.items()
        ],
    }


def _agreement_rows(report: RunReport) -> Iterator[tuple[str, list[_Quantity]]]:
    """Variant, then top-1, top-5, accuracy, its change, McNemar's p, lost, repaired, divergence, difference."""
    for one in measured(report):
        agreement, paired = one.agreement, one.accuracy
        cells = []
        for proportion in (agreement.top1, agreement.top5, paired.variant if paired else None):
            if proportion is None:
                cells.append(_Quantity(figures.ABSENT, None))
                continue
            share = " ".join(figures.proportion(proportion))
            cells.append(_Quantity(share, proportion.value, f"{proportion.successes}/{proportion.trials}"))
        if paired is None:
            cells += [_Quantity(figures.ABSENT, None)] * 3
        else:
            drop = paired.drop
            change = " ".join(
                figures.percentage_points(
                    -drop.value,
                    drop.interval.model_copy(update={"low": -drop.interval.high, "high": -drop.interval.low}),
                )
            )
            cells += [
                _Quantity(change, -drop.value),
                _Quantity(
                    f"{paired.only_reference_right} / {paired.only_variant_right}",
                    paired.only_reference_right,
                ),
                _Quantity(figures.significant(paired.mcnemar_p), paired.mcnemar_p),
            ]
        for value in (agreement.mean_kl_divergence_nats, agreement.largest_absolute_difference):
            cells.append(_Quantity(figures.ABSENT if value is None else figures.significant(value), value))
        yield one_line(one.variant.name), cells


def _environment(report: RunReport) -> Iterator[tuple[str, str]]:
    plan = report.plan
    host = plan.host
    yield "harness", plan.harness_version
    yield "suite", plan.suite_path
    yield "source model", f"{plan.source.path}, sha256 {plan.source.sha256}"
    yield "workload", f"digest {report.workload.digest}"
    yield "reference", report.reference_engine
    for device in dict.fromkeys(one.device for one in measured(report)):
        memory = f", {figures.size(device.memory_bytes)} of memory" if device.memory_bytes else ""
        yield (
            "device",
            f"{device.model} ({device.target_class}), {device.os} {device.os_version}, {device.cpu}, "
            f"{device.logical_cores} cores{memory}",
        )
    for runtime in dict.fromkeys(one.runtime for one in measured(report)):
        yield "runtime", f"{runtime.name} {runtime.version} ({runtime.library})"
    settings = plan.settings
    yield (
        "settings",
        f"{settings.threads} threads, model file {settings.loading}, {plan.rounds} rounds, seed {plan.seed}",
    )
    yield (
        "host",
        f"{host.system} {host.machine}, {host.cpu}, {host.logical_cores} cores, Python {host.python}",
    )
    if host.packages:
        yield "packages", ", ".join(f"{name} {version}" for name, version in sorted(host.packages.items()))


def _builds(report: RunReport) -> Iterator[tuple[str, str, str, str]]:
    """Variant, recipe, sha256, tools."""
    for one in measured(report):
        built = one.variant
        tools = ", ".join(f"{name} {version}" for name, version in sorted(built.build.tools.items()))
        yield one_line(built.name), built.recipe, built.model.sha256, one_line(tools)


def _commands(report: RunReport) -> list[tuple[str, str]]:
    run = shlex.quote(one_line(report.plan.run_id))
    suite = shlex.quote(one_line(report.plan.suite_path))
    return [
        ("measure it again", f"harness run {suite}"),
        ("show this run", f"harness report {run}"),
        ("judge it by another policy", f"harness gate {run} --policy new.toml"),
        ("compare it with a later run", f"harness compare {run} LATER_RUN"),
    ]

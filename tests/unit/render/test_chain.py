"""The chain of preparation on a terminal: every step, and no figure cut where the width is short."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.core.agreement import proportion
from harness.core.chain import Chain, ChainStep, Step, TopLabel
from harness.core.jobs import Blob
from harness.core.measurements import Agreement
from harness.core.report import RunReport
from harness.render.terminal import terminal_report


def _step(step: Step, *, same: int, difference: float, compressed_bytes: int) -> ChainStep:
    return ChainStep(
        step=step,
        graph=Blob(sha256="a" * 64, bytes=13_800_000),
        compressed_bytes=compressed_bytes,
        nodes=752,
        duration_s=1.5,
        remarks=("49 batch norms folded",) if step is Step.FOLD else (),
        agreement=Agreement(
            top1=proportion(same, 600),
            top5=None,
            mean_kl_divergence_nats=None,
            largest_absolute_difference=difference,
            invalid_outputs=0,
            constant_output=False,
            disagreements=(),
        ),
        accuracy=proportion(573, 600),
        top_labels=(TopLabel(label="[red]tabby[/]\x1b[2J", score=0.975),),
    )


CHAIN = Chain(
    shown_input="cat.jpg",
    steps=(
        _step(Step.SOURCE, same=600, difference=0.0, compressed_bytes=12_700_000),
        _step(Step.FOLD, same=600, difference=5.3e-6, compressed_bytes=12_500_000),
        _step(Step.ROUND, same=586, difference=0.331, compressed_bytes=3_900_000),
    ),
)


def _shown(report: RunReport, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, record=True)
    console.print(terminal_report(report.model_copy(update={"chain": CHAIN})))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_each_step_has_a_line_with_its_figures_whole(report: RunReport, width: int) -> None:
    lines = [line.split() for line in _shown(report, width).splitlines()]
    (rounded,) = (line for line in lines if line[:1] == ["round"])
    assert "3.90" in rounded and "97.7" in rounded
    assert [line[0] for line in lines if line and line[0] in ("source", "fold", "round")][-3:] == [
        "source",
        "fold",
        "round",
    ]


def test_what_a_step_did_is_said_and_labels_are_text(report: RunReport) -> None:
    shown = _shown(report, 140)
    assert "fold: 49 batch norms folded" in shown
    assert "[red]tabby[/]" in shown
    assert "\x1b" not in shown


def test_a_report_without_a_chain_shows_none(report: RunReport) -> None:
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(terminal_report(report))
    assert "Preparation" not in console.export_text()

"""A search for a mixed variant, for a terminal: what was tried, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

from harness.core.rescue import Candidate, Rescue
from harness.core.variants import Form, Granularity
from harness.render import figures
from harness.render.ink import ANSWER_MARK, ANSWER_STYLE, DIM, WARNING, Ink, spaced
from harness.render.plain_text import one_line


def terminal_rescue(rescue: Rescue) -> RenderableType:
    """What was tried and found; fits itself to the console that prints it."""
    return _Rescue(rescue)


@dataclass(frozen=True, slots=True)
class _Rescue:
    rescue: Rescue

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ink = Ink(options.encoding, options.max_width)
        blocks: list[RenderableType] = [
            ink.text((f"{one_line(self.rescue.run_id)} · {one_line(self.rescue.variant)}", "bold")),
            _tried(self.rescue, ink),
            ink.text(*conclusion(self.rescue)),
        ]
        if self.rescue.not_judged:
            names = ", ".join(metric.replace("_", " ") for metric in self.rescue.not_judged)
            blocks.append(ink.text((f"for the run to judge: {names}", WARNING)))
        yield spaced(blocks)


def _tried(rescue: Rescue, ink: Ink) -> RenderableType:
    table = ink.headed_table(gap=2)
    table.add_column("")
    table.add_column(ink.text("Kept in float"), justify="right", no_wrap=True)
    for title in ("Size", "Compressed", "Top-1 agreement"):
        table.add_column(ink.text(title), justify="right", no_wrap=True)
    table.add_column(ink.text("Why not"), overflow="fold")
    for one in rescue.tried:
        is_best = one == rescue.best
        table.add_row(
            ink.text((ANSWER_MARK[one.answer], ANSWER_STYLE[one.answer])),
            ink.text((kept(one.form), "bold" if is_best else "")),
            ink.text(figures.size(one.file_bytes)),
            ink.text(figures.size(one.compressed_bytes)),
            ink.text(" ".join(figures.proportion(one.agreement))),
            ink.text(("" if one.answer == "pass" else one_line(one.reason), DIM)),
        )
    return table


def kept(form: Form) -> str:
    """``"3 layers"``, with what else differs from the plain recipe."""
    count = len(form.keep_float)
    text = f"{count or 'no'} layer{'' if count == 1 else 's'}"
    return f"{text}, scale per tensor" if form.granularity is Granularity.TENSOR else text


def conclusion(rescue: Rescue) -> tuple[str, ...]:
    """What the search comes to, in a sentence."""
    if rescue.best is None:
        if rescue.budget_left == 0:
            return (f"None of {len(rescue.tried)} tried meets the policy; the budget is spent.",)
        return ("No mixture of this recipe meets the policy.",)
    if rescue.best.form.is_plain:
        return (f"{one_line(rescue.variant)} meets what can be judged here as it is.",)
    size = figures.size(rescue.best.file_bytes)
    return (f"The smallest that passes keeps {kept(rescue.best.form)} in float: {size}.",)


def suite_section(name: str, candidate: Candidate) -> str:
    """The candidate as a named variant of a suite, in TOML."""
    form = candidate.form
    lines = [f"[variants.named.{json.dumps(name)}]", f'recipe = "{form.recipe}"']
    if form.keep_float:
        # JSON's strings are TOML's basic strings.
        layers = "".join(f"  {json.dumps(layer, ensure_ascii=True)},\n" for layer in form.keep_float)
        lines.append(f"keep_float = [\n{layers}]")
    if form.granularity is not Granularity.CHANNEL:
        lines.append(f'granularity = "{form.granularity}"')
    return "\n".join(lines) + "\n"

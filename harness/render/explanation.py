"""An explanation for a terminal: the chain with what each link explains, then the layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult

from harness.core.explanation import Explanation, Factor, Link
from harness.core.layer_blame import BlamedOperation
from harness.render import figures
from harness.render.ink import DIM, WARNING, Ink, spaced
from harness.render.plain_text import one_line, shortened

_MOST_LAYERS = 10
_LAYER_CELLS = 48
ADVICE = {
    Factor.CONVERSION: "Check the source model's conversion: compare with another format of it, and its preprocessing.",
    Factor.QUANTIZATION: "Keep the worst layers in float: harness rescue searches the smallest variant that passes.",
    Factor.RUNNER: "The interpreter and the runner should agree bit for bit: report this with the run's folder.",
    Factor.DEVICE: "Compare the runtime's releases on host and device first; then another accelerator, or none.",
}


def terminal_explanation(explanation: Explanation) -> RenderableType:
    """The explanation; fits itself to the console that prints it."""
    return _Explanation(explanation)


@dataclass(frozen=True, slots=True)
class _Explanation:
    explanation: Explanation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield spaced(list(_blocks(self.explanation, Ink(options.encoding, options.max_width))))


def _blocks(found: Explanation, ink: Ink) -> Iterator[RenderableType]:
    yield ink.text(
        (f"{one_line(found.run_id)} · {one_line(found.variant)}", "bold"), (f"\n{summary(found)}", "")
    )
    yield _chain(found, ink)
    suspicious = [check for check in found.preprocessing if check.suspicious]
    if suspicious:
        yield Group(
            *(
                ink.text(
                    ("preprocessing", WARNING),
                    f": with {check.name} the source model is right on {figures.proportion(check.accuracy)[0]} of the"
                    f" labelled inputs, as declared on {figures.proportion(check.declared)[0]}"
                    f" (McNemar p = {figures.significant(check.mcnemar_p)}) → mend [workload.preprocess]",
                )
                for check in suspicious
            )
        )
    elif found.preprocessing:
        tried = ", ".join(check.name for check in found.preprocessing)
        yield ink.text((f"preprocessing: no other tried is better ({tried})", DIM))
    if found.layers:
        yield _layers(found, ink)
    if found.not_crossed:
        yield Group(
            *(ink.text((f"not run: {one.what}: {one_line(one.reason)}", DIM)) for one in found.not_crossed)
        )
    factor = found.main_factor
    if factor is not None:
        yield ink.text(f"→ {ADVICE[factor]}")


def summary(found: Explanation) -> str:
    """``"9 of 525 inputs get another label; 8 of them from quantization on"``."""
    if not found.disagreements:
        return f"All {found.inputs} inputs get the reference's label."
    parts = [f"{link.explains} from {link.factor} on" for link in found.links if link.explains]
    return f"{found.disagreements} of {found.inputs} inputs get another label: {', '.join(parts)}."


def _chain(found: Explanation, ink: Ink) -> RenderableType:
    table = ink.headed_table(gap=2)
    for title in ("Factor", "Runs"):
        table.add_column(ink.text(title), overflow="fold")
    for title in ("Same label", "Largest diff.", "Explains"):
        table.add_column(ink.text(title), justify="right", no_wrap=True)
    table.add_row(ink.text(("reference", DIM)), ink.text(one_line(found.links[0].a)), "", "", "")
    for one in found.links:
        table.add_row(*_link(one, one_line(one.b), is_main=one.factor is found.main_factor, ink=ink))
    for one in found.beside:
        table.add_row(*_link(one, f"{one_line(one.b)}, against {one_line(one.a)}", is_main=False, ink=ink))
    return table


def _link(one: Link, runs: str, *, is_main: bool, ink: Ink) -> list[RenderableType]:
    explains = figures.ABSENT if one.explains is None else str(one.explains)
    return [
        ink.text((one.factor, "bold" if is_main else "")),
        ink.text((runs, DIM)),
        ink.text(" ".join(figures.proportion(one.agreement))),
        ink.text(_difference(one)),
        ink.text((explains, "bold" if one.explains else DIM)),
    ]


def _difference(one: Link) -> str:
    if one.bit_identical:
        return "none"
    return figures.ABSENT if one.largest_difference is None else figures.significant(one.largest_difference)


def _layers(found: Explanation, ink: Ink) -> RenderableType:
    blamed = sum(layer.blamed for layer in found.layers)
    rest = (
        f"{blamed} of {len(found.layers)} operations fail {found.tolerance:g} while what they read meets it;"
        f" on {found.layer_inputs} inputs"
    )
    table = ink.headed_table(gap=2)
    table.add_column("")
    for title in ("Operation", "Layer"):
        table.add_column(ink.text(title), overflow="fold")
    for title in ("Adds", "Error", "Of its inputs"):
        table.add_column(ink.text(title), justify="right", no_wrap=True)
    for layer in found.layers[:_MOST_LAYERS]:
        table.add_row(*_row(layer, ink))
    return Group(ink.heading("Layers by the relative error they add", rest), table)


def _row(layer: BlamedOperation, ink: Ink) -> list[RenderableType]:
    one = layer.operation
    return [
        ink.text(("✘", "red") if layer.blamed else ""),
        ink.text(f"#{one.index} {one_line(one.op)}"),
        ink.text(shortened(layer_name(one.tensor), _LAYER_CELLS)),
        *(
            ink.text("not finite" if value is None else figures.significant(value))
            for value in (layer.added, one.error, one.input_error)
        ),
    ]


def layer_name(tensor: str) -> str:
    """A tensor that stands for several fused ones is named by the first: ``a/Relu6;a/add;a/conv`` → ``a/Relu6``."""
    return one_line(tensor.split(";")[0])

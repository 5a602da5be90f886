"""What ``harness emoji`` shows: the balance of prepared texts, trainings side by side, an export."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.core.emoji_data import Part, Preparation
from harness.core.emoji_export import Export, ExportedVariant
from harness.core.emoji_training import Training
from harness.render.figures import size
from harness.render.plain_text import one_line

_LABELS_SHOWN = 10
# What a narrow terminal keeps of a table.
_NAME_WIDTH, _SHARE_WIDTH = 12, 5


def preparation_report(preparation: Preparation, folder: str) -> RenderableType:
    """What was kept, what was left out and why, and how the labels are balanced."""
    return Group(
        Text.assemble(("Prepared texts in ", ""), (one_line(folder), "bold")),
        Text(),
        _lines(preparation),
        Text(),
        _balance(preparation),
        Text(),
        *map(Text, _remarks(preparation)),
    )


def _lines(preparation: Preparation) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_row("lines read", f"{preparation.lines:,}")
    for reason, count in preparation.skipped.items():
        table.add_row(Text(f"  left out: {one_line(reason)}", style="yellow"), f"{count:,}")
    table.add_row(Text("kept", style="bold"), f"{preparation.kept:,}")
    for part in Part:
        table.add_row(f"  to {_PURPOSES[part]}", f"{preparation.count(part):,}")
    return table


_PURPOSES = {Part.TRAIN: "train on", Part.VALIDATION: "validate on", Part.TEST: "test on"}


def _balance(preparation: Preparation) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("emoji")
    for part in Part:
        table.add_column(part.value, justify="right", no_wrap=True)
    ranked = sorted(preparation.labels, key=lambda label: -label.train)
    shown = ranked if len(ranked) <= _LABELS_SHOWN + 1 else [*ranked[: _LABELS_SHOWN - 1], ranked[-1]]
    for place, label in enumerate(shown):
        if place and label is shown[-1] and len(shown) < len(ranked):
            table.add_row(Text(f"… {len(ranked) - len(shown)} more", style="dim"), "", "", "")
        table.add_row(label.label, f"{label.train:,}", f"{label.validation:,}", f"{label.test:,}")
    return table


def _remarks(preparation: Preparation) -> list[str]:
    share = preparation.largest_share
    remarks = [f"Always answering the most frequent emoji would be right in {share:.1%} of the test texts."]
    if preparation.characters:
        unknown = preparation.unknown_characters / preparation.characters
        remarks.append(f"{unknown:.2%} of the characters to train on are outside the alphabet.")
    if preparation.cut:
        remarks.append(
            f"{preparation.cut:,} texts are longer than {preparation.settings.length} characters: "
            "the model sees their start."
        )
    missing = [label.label for label in preparation.labels if not label.train]
    if missing:
        remarks.append(f"No text to train on: {' '.join(missing)}")
    return remarks


def trainings_table(trainings: Sequence[Training]) -> RenderableType:
    """One line a training: what it costs, and how often it is right on the texts to test on."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("architecture", no_wrap=True, min_width=_NAME_WIDTH)
    for title in ("weights", "MMAC", "epochs", "s"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("top-1", "top-5"):
        table.add_column(title, justify="right", no_wrap=True, min_width=_SHARE_WIDTH)
    best = max(training.test_top_1 for training in trainings)
    for training in trainings:
        table.add_row(
            training.settings.architecture.value,
            f"{training.parameters:,}",
            f"{training.multiply_adds / 1e6:.1f}",
            f"{training.best_epoch} of {len(training.epochs)}",
            f"{training.duration_s:,.0f}",
            Text(f"{training.test_top_1:.3f}", style="bold" if training.test_top_1 == best else ""),
            f"{training.test_top_5:.3f}",
        )
    texts = {(training.test_texts, training.data_sha256) for training in trainings}
    remark = (
        f"On {trainings[0].test_texts:,} texts to test on; MMAC: millions of multiply-adds for one text."
        if len(texts) == 1
        else "Not all of these were trained on the same texts: their figures cannot be compared."
    )
    return Group(table, Text(remark, style="dim" if len(texts) == 1 else "yellow"))


def export_report(export: Export, folder: str) -> RenderableType:
    """What was written, how each variant does beside the trained network, and what failed and why."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("form", no_wrap=True, min_width=5)
    table.add_column("recipe", no_wrap=True, min_width=_NAME_WIDTH)
    for title in ("file", "in the .ipa", "d"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("top-1", justify="right", no_wrap=True, min_width=_SHARE_WIDTH)
    for title in ("right", "ms"):
        table.add_column(title, justify="right", no_wrap=True)
    for variant in export.variants:
        table.add_row(*_variant_cells(variant))
    notes = [
        Text.assemble(
            ("failed ", "red"), f"{failed.form.value} {failed.recipe.value}: {one_line(failed.problem)}"
        )
        for failed in export.variants
        if failed.problem
    ]
    return Group(
        Text.assemble("Exported ", (export.architecture.value, "bold"), f" to {one_line(folder)}"),
        Text(f"{', '.join(export.files)}, and the variants:"),
        Text(),
        table,
        Text(),
        *notes,
        Text(
            "d: the largest difference of a probability from the trained network's; top-1: how often the first "
            "suggestion is the network's; right: how often it is the text's own; ms: here, one thread, to compare "
            "forms by.",
            style="dim",
        ),
        *_forgetting(export),
    )


def _variant_cells(variant: ExportedVariant) -> list[str | Text]:
    names: list[str | Text] = [variant.form.value, variant.recipe.value]
    sizes = [
        "–" if bytes_ is None else size(bytes_) for bytes_ in (variant.file_bytes, variant.compressed_bytes)
    ]
    agreement = variant.agreement
    if agreement is None:
        return [*names, *sizes, "–", "–", "–", "–"]
    return [
        *names,
        *sizes,
        f"{agreement.largest_difference:.1g}",
        Text(f"{agreement.top_1:.3f}", style="" if agreement.top_1 >= 0.95 else "red"),
        f"{agreement.right:.3f}",
        f"{agreement.median_ms:.2f}",
    ]


def _forgetting(export: Export) -> list[Text]:
    kept = [
        variant.agreement.without_reset
        for variant in export.variants
        if variant.agreement and variant.agreement.without_reset is not None
    ]
    if not kept:
        return []
    return [
        Text(
            f"The form fused keeps its state from one text to the next: without a reset of its variables before each, "
            f"top-1 falls to {min(kept):.3f}.",
            style="yellow",
        )
    ]

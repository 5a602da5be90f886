"""``harness label MODEL INPUT…``: what a model sees in some photos, as the tutorial's label_image did, or suggests for
some typed texts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.core.runs import SkippedInput
    from harness.workloads.classify import Scored


@click.command("label")
@click.argument("model")
@click.argument("inputs", nargs=-1)
@click.option(
    "--suite",
    type=click.Path(path_type=Path),
    help="Take labels and preprocessing or alphabet from this suite.",
)
@click.option("--labels", type=click.Path(path_type=Path), help="Labels, one a line.")
@click.option(
    "--alphabet",
    type=click.Path(path_type=Path),
    help="How texts become numbers, as training wrote it; without it alphabet.json beside the model.",
)
@click.option("--size", type=(int, int), help="Height and width in pixels.", metavar="H W")
@click.option("--mean", type=float, multiple=True, help="Once, or once for each channel.")
@click.option("--scale", type=float, multiple=True, help="Once, or once for each channel.")
@click.option(
    "--resize",
    type=click.Choice(["crop", "squash", "pad"]),
    default="crop",
    show_default=True,
    help="How a photo becomes the size: its centre, its whole distorted, or its whole on black.",
)
@click.option(
    "--crop-fraction",
    type=float,
    default=1.0,
    show_default=True,
    help="Share of the shorter side that crop keeps.",
)
@click.option(
    "--interpolation",
    type=click.Choice(["bilinear", "bicubic"]),
    default="bilinear",
    show_default=True,
    help="How pixels are resampled.",
)
@click.option(
    "--channels",
    type=click.Choice(["rgb", "bgr", "gray"]),
    default="rgb",
    show_default=True,
    help="Order of the channels.",
)
@click.option(
    "--background-class", is_flag=True, help="The model has one class more than the labels, in front."
)
@click.option(
    "--input",
    "input_name",
    metavar="NAME",
    help="Of a graph: the tensor that takes the photo, prepared, or its file's bytes (DecodeJpeg/contents).",
)
@click.option("--output", "output_name", metavar="NAME", help="The output to show, where there are several.")
@click.option("--top", type=int, default=5, show_default=True, help="How many labels for each input.")
@click.option("--cache", type=click.Path(path_type=Path), help="Where encoded inputs and outputs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: str,
    inputs: tuple[str, ...],
    suite: Path | None,
    labels: Path | None,
    alphabet: Path | None,
    size: tuple[int, int] | None,
    mean: tuple[float, ...],
    scale: tuple[float, ...],
    resize: str,
    crop_fraction: float,
    interpolation: str,
    channels: str,
    background_class: bool,
    input_name: str | None,
    output_name: str | None,
    top: int,
    cache: Path | None,
    as_json: bool,
) -> int:
    """Label INPUTS with MODEL: the five best labels of each.

    MODEL is a source model of any format, or RUN:VARIANT for a variant of a stored run, whose suite then says
    how inputs are prepared.

    INPUTS are photos. For a model in a file, name a --suite, or --size, --mean and --scale. A graph that decodes photos
    itself needs none of them.

    For a model of texts INPUTS are the texts themselves; without any they are read from standard input, one a line.
    It is one where its suite says so, or where alphabet.json lies beside it; labels.txt there has the labels.
    """
    from harness.cli.named_runs import local_side
    from harness.cli.places import cache_folder, runs_folder
    from harness.core.preprocessing import Channels, Interpolation, Preprocessing, ResizeMode
    from harness.errors import UsageError
    from harness.pipeline.label import Preparation, label_photos, model_of
    from harness.pipeline.label_texts import TextPreparation, label_texts

    runs = runs_folder(None)
    file, section, io, base = model_of(local_side(model, runs), suite, runs)
    given = {"input": input_name, "output": output_name}
    io = io.model_copy(update={key: name for key, name in given.items() if name is not None})
    place = cache or cache_folder()
    typed = TextPreparation.find(
        file, section, base, alphabet=alphabet, labels=labels, background_class=background_class
    )
    if typed is not None:
        answers = label_texts(file, inputs or _standard_input(), typed, place, top=top, io=io)
        _print(
            answers.model_dump_json(indent=1),
            as_json,
            [(one.text, one.best) for one in answers.texts],
            "text",
        )
        for one in answers.texts:
            if one.reached < one.characters:
                said = f"{one.text!r}: only the first {one.reached} of {one.characters} characters reach the model"
                click.echo(f"{click.style('cut off:', fg='yellow')} {said}", err=True)
        return _told(answers.skipped)
    if not inputs:
        raise UsageError("no photo is given", next_step="Name photos: harness label MODEL photo.jpg.")
    if section is not None:
        preparation = Preparation.of_suite(section, base, labels)
    elif size is None or not mean or not scale:
        preparation = Preparation(None, labels, background_class)
    else:
        preparation = Preparation(
            Preprocessing(
                size=size,
                mean=mean,
                scale=scale,
                resize=ResizeMode(resize),
                crop_fraction=crop_fraction,
                interpolation=Interpolation(interpolation),
                channels=Channels(channels),
            ),
            labels,
            background_class,
        )
    found = label_photos(file, [Path(photo) for photo in inputs], preparation, place, top=top, io=io)
    _print(found.model_dump_json(indent=1), as_json, [(one.name, one.best) for one in found.photos], "photo")
    return _told(found.skipped)


def _standard_input() -> list[str]:
    """Its lines; bytes that are not UTF-8 become halves of surrogate pairs, which no text may have."""
    from harness.errors import UsageError

    if sys.stdin.isatty():
        raise UsageError(
            "no text is given",
            next_step='Give one: harness label MODEL "see you tomorrow"; or texts on standard input, one a line.',
        )
    lines = sys.stdin.buffer.read().decode("utf-8-sig", "surrogateescape").split("\n")
    return [line.rstrip("\r") for line in lines if line.strip()]


def _told(skipped: Sequence[SkippedInput]) -> int:
    from harness.errors import ExitStatus
    from harness.render.plain_text import one_line

    for one in skipped:
        said = f"{one_line(one.file)}: {one.reason}"
        click.echo(f"{click.style('left out:', fg='yellow')} {said}", err=True)
    return int(ExitStatus.USAGE if skipped else ExitStatus.PASS)


def _print(json: str, as_json: bool, found: Sequence[tuple[str, Sequence[Scored]]], kind: str) -> None:
    if as_json:
        click.echo(json)
    else:
        _show(found, kind)


def _show(found: Sequence[tuple[str, Sequence[Scored]]], kind: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.render.plain_text import one_line

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(kind)
    table.add_column("label")
    table.add_column("score", justify="right", no_wrap=True)
    for given, best in found:
        for rank, scored in enumerate(best):
            style = "bold" if rank == 0 else ""
            name = Text(one_line(given)) if rank == 0 else Text("")
            table.add_row(name, Text(one_line(scored.label), style=style), f"{scored.score:.3f}")
    Console().print(table)

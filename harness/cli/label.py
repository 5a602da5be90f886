"""``harness label MODEL PHOTO…``: what a model sees in some photos, as the tutorial's label_image did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.workloads.classify import Classification


@click.command("label")
@click.argument("model")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--suite", type=click.Path(path_type=Path), help="Take labels and preprocessing from this suite."
)
@click.option("--labels", type=click.Path(path_type=Path), help="Labels, one a line.")
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
@click.option("--top", type=int, default=5, show_default=True, help="How many labels for each photo.")
@click.option("--cache", type=click.Path(path_type=Path), help="Where decoded photos and outputs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: str,
    photos: tuple[Path, ...],
    suite: Path | None,
    labels: Path | None,
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
    """Label PHOTOS with MODEL: the five best labels of each.

    MODEL is a source model of any format, or RUN:VARIANT for a variant of a stored run, whose suite then says
    how photos are prepared. For a file, name a --suite, or --size, --mean and --scale. A graph that decodes photos
    itself needs none of them.
    """
    from harness.cli.places import cache_folder, runs_folder
    from harness.core.preprocessing import Channels, Interpolation, Preprocessing, ResizeMode
    from harness.errors import ExitStatus
    from harness.pipeline.label import Preparation, label_photos, model_of

    file, section, io, base = model_of(model, suite, runs_folder(None))
    given = {"input": input_name, "output": output_name}
    io = io.model_copy(update={key: name for key, name in given.items() if name is not None})
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
    found = label_photos(file, photos, preparation, cache or cache_folder(), top=top, io=io)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        _show(found)
    for skipped in found.skipped:
        click.echo(f"{click.style('left out:', fg='yellow')} {skipped.file}: {skipped.reason}", err=True)
    return int(ExitStatus.USAGE if found.skipped else ExitStatus.PASS)


def _show(found: Classification) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.render.plain_text import one_line

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("photo")
    table.add_column("label")
    table.add_column("score", justify="right", no_wrap=True)
    for photo in found.photos:
        for rank, scored in enumerate(photo.best):
            style = "bold" if rank == 0 else ""
            name = Text(one_line(photo.name)) if rank == 0 else Text("")
            table.add_row(name, Text(one_line(scored.label), style=style), f"{scored.score:.3f}")
    Console().print(table)

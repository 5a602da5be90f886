"""``harness emoji``: texts to data, data to a trained network, networks side by side, and what a phone takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.core.emoji_training import Architecture


@click.group("emoji")
def command() -> None:
    """Train a model that suggests emoji for a text, and export it for the phone."""


@command.command("prepare")
@click.argument("texts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default="emoji-data", show_default=True, help="Folder."
)
@click.option("--labels", type=click.Path(path_type=Path), help="Take these emoji, one a line.")
@click.option("--top", type=click.IntRange(2, 4096), default=100, show_default=True, help="How many emoji.")
@click.option(
    "--several",
    type=click.Choice(["first", "skip"]),
    default="first",
    show_default=True,
    help="A text with different emoji: its first one that is a label, or leave it out.",
)
@click.option("--keep-skin-tones", is_flag=True, help="Each skin tone is an emoji of its own.")
@click.option("--validation", type=float, default=0.1, show_default=True, help="Share of the texts.")
@click.option("--test", type=float, default=0.1, show_default=True, help="Share of the texts.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the split.")
@click.option(
    "--characters", type=click.IntRange(1, 60_000), default=100, show_default=True, help="In the alphabet."
)
@click.option(
    "--length",
    type=click.IntRange(1, 4096),
    default=120,
    show_default=True,
    help="Characters the model sees.",
)
@click.option("--json-key", default="text", show_default=True, help="Of JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prepare(
    texts: tuple[Path, ...],
    output: Path,
    labels: Path | None,
    top: int,
    several: str,
    keep_skin_tones: bool,
    validation: float,
    test: float,
    seed: int,
    characters: int,
    length: int,
    json_key: str,
    as_json: bool,
) -> None:
    """Make examples of TEXTS: files of short texts with emoji, one a line, or JSON lines; - is standard input.

    The emoji becomes the label and leaves the text. Links, mentions and repeats are cleaned away, what was said
    before is left out, and the rest is split into train, validation and test by the text's hash and the seed.
    """
    from pydantic import ValidationError

    from harness.cli.emoji_progress import reading
    from harness.core.emoji_data import PreparationSettings
    from harness.emoji.prepare import prepare as prepare_texts
    from harness.emoji.read_texts import read_texts
    from harness.errors import UsageError
    from harness.render.emoji import preparation_report

    try:
        settings = PreparationSettings(
            most_labels=top,
            several="skip" if several == "skip" else "first",
            keep_skin_tones=keep_skin_tones,
            validation_share=validation,
            test_share=test,
            seed=seed,
            most_characters=characters,
            length=length,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{first['loc'][0]}: {first['msg']}", next_step="harness emoji prepare --help"
        ) from error
    with reading(texts) as (on_read, on_stage):
        preparation = prepare_texts(
            read_texts(texts, json_key=json_key, on_read=on_read),
            output,
            settings,
            labels_file=labels,
            on_stage=on_stage,
        )
    if as_json:
        click.echo(preparation.model_dump_json(indent=1))
    else:
        from rich.console import Console

        Console().print(preparation_report(preparation, str(output)))


@command.command("train")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--architecture",
    "names",
    multiple=True,
    help="May be repeated; `all` for each of them. [default: separable]",
    metavar="NAME",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default="emoji-runs", show_default=True, help="Folder."
)
@click.option("--epochs", type=click.IntRange(1), default=40, show_default=True, help="At most.")
@click.option(
    "--patience", type=click.IntRange(1), default=3, show_default=True, help="Epochs without a better loss."
)
@click.option("--batch", type=click.IntRange(1, 65_536), default=64, show_default=True, help="Texts a step.")
@click.option("--learning-rate", type=float, default=0.002, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option("--restart", is_flag=True, help="Throw away what was trained there before.")
def train(
    data: Path,
    names: tuple[str, ...],
    output: Path,
    epochs: int,
    patience: int,
    batch: int,
    learning_rate: float,
    seed: int,
    restart: bool,
) -> None:
    """Train networks on DATA, the folder of prepared texts, each into a folder of its name below --output.

    A training that was cut off goes on after its last whole epoch, and comes to the same weights. Training ends when
    the loss on the validation part does not get better; the best epoch's weights are kept.
    """
    from rich.console import Console

    from harness.cli.emoji_progress import training_progress
    from harness.core.emoji_training import TrainingSettings
    from harness.emoji.dataset import read_dataset
    from harness.emoji.training import train as train_one
    from harness.errors import UsageError
    from harness.render.emoji import trainings_table

    dataset = read_dataset(data)
    if not 0 < learning_rate <= 1:
        raise UsageError(
            f"--learning-rate {learning_rate} is not between 0 and 1", next_step="harness emoji train --help"
        )
    trainings = []
    for architecture in _architectures(names):
        settings = TrainingSettings(
            architecture=architecture,
            most_epochs=epochs,
            patience=patience,
            batch_size=batch,
            learning_rate=learning_rate,
            seed=seed,
        )
        try:
            with training_progress(settings) as (on_step, on_epoch):
                training = train_one(
                    dataset,
                    output / architecture.value,
                    settings,
                    restart=restart,
                    on_step=on_step,
                    on_epoch=on_epoch,
                )
        except KeyboardInterrupt:
            click.echo("The same command goes on after the last whole epoch.", err=True)
            raise
        trainings.append(training)
    Console().print(trainings_table(trainings))


@command.command("compare")
@click.argument("runs", type=click.Path(path_type=Path), default="emoji-runs")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(runs: Path, as_json: bool) -> None:
    """Show the trainings in RUNS (default: emoji-runs) side by side: what each costs and how often it is right."""
    import json

    from rich.console import Console

    from harness.emoji.training import read_trainings
    from harness.render.emoji import trainings_table

    trainings = read_trainings(runs)
    if as_json:
        click.echo(json.dumps([training.model_dump(mode="json") for training in trainings], indent=1))
    else:
        Console().print(trainings_table(trainings))


@command.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder. [default: RUN/export]", metavar="PATH"
)
@click.option(
    "--form",
    "forms",
    multiple=True,
    type=click.Choice(["while", "unrolled", "fused", "graph"]),
    help="May be repeated. [default: all that apply]",
)
@click.option("--recipe", "recipes", multiple=True, help="May be repeated. [default: all]", metavar="NAME")
@click.option("--texts", type=click.IntRange(2), default=500, show_default=True, help="To check on, at most.")
@click.option("--cache", type=click.Path(path_type=Path), help="Where built variants are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(
    run: Path,
    data: Path,
    output: Path | None,
    forms: tuple[str, ...],
    recipes: tuple[str, ...],
    texts: int,
    cache: Path | None,
    as_json: bool,
) -> int:
    """Export the training in RUN, and check every variant on the texts to test on in DATA.

    Written are the SavedModel, a TensorFlow 1 checkpoint with its graph, the frozen graph, and a .tflite of each
    form by each recipe. Exit status 3 when a variant fails.
    """
    from rich.console import Console

    from harness.cli.emoji_progress import stages
    from harness.cli.places import cache_folder
    from harness.core.emoji_export import Form
    from harness.core.variants import Recipe
    from harness.emoji.dataset import read_dataset
    from harness.errors import ExitStatus, UsageError
    from harness.pipeline.emoji_export import export as export_training
    from harness.render.emoji import export_report

    unknown = [name for name in recipes if name not in list(Recipe)]
    if unknown:
        raise UsageError(
            f"there is no recipe {unknown[0]!r}", next_step=f"Choose some of: {', '.join(Recipe)}."
        )
    place = output or run / "export"
    with stages() as on_stage:
        exported = export_training(
            run,
            read_dataset(data),
            place,
            cache or cache_folder(),
            forms=[Form(name) for name in forms],
            recipes=[Recipe(name) for name in recipes],
            most_texts=texts,
            on_stage=on_stage,
        )
    if as_json:
        click.echo(exported.model_dump_json(indent=1))
    else:
        Console().print(export_report(exported, str(place)))
    failed = any(variant.problem for variant in exported.variants)
    return int(ExitStatus.UNDECIDED if failed else ExitStatus.PASS)


def _architectures(names: tuple[str, ...]) -> list[Architecture]:
    from harness.core.emoji_training import Architecture
    from harness.errors import UsageError

    if "all" in names:
        return list(Architecture)
    unknown = [name for name in names if name not in list(Architecture)]
    if unknown:
        raise UsageError(
            f"there is no architecture {unknown[0]!r}",
            next_step=f"Choose all or some of: {', '.join(Architecture)}.",
        )
    return [Architecture(name) for name in dict.fromkeys(names)] or [Architecture.SEPARABLE]

"""``harness inspect MODEL``: what a model file holds."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(model: Path, as_json: bool) -> int:
    """Show what MODEL takes and gives, its ops, its weights and what its author wrote into it.

    MODEL is a .tflite, a frozen graph, a SavedModel, a checkpoint with its graph, or a Keras model. Nothing in it is
    executed.
    """
    from harness.errors import ExitStatus
    from harness.pipeline.inspect_model import inspect_model

    inspection = inspect_model(model)
    if as_json:
        click.echo(inspection.model_dump_json(indent=1, exclude_none=True))
    else:
        from rich.console import Console

        from harness.render.inspection import terminal_inspection

        Console().print(terminal_inspection(inspection))
    return int(ExitStatus.PASS)

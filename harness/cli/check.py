"""``harness check MODEL``: which ops the phone's runtime lacks."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("check")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--input", "inputs", multiple=True, help="A node of a graph that is fed; may be given several times."
)
@click.option(
    "--output", "outputs", multiple=True, help="A node of a graph that is read; may be given several times."
)
@click.option("--signature", default="", help="The signature of a SavedModel.")
@click.option(
    "--route",
    type=click.Choice(["litert", "mobile-2016"]),
    default="litert",
    show_default=True,
    help="Which runtime's answer the exit status tells.",
)
@click.option(
    "--header",
    type=click.Path(path_type=Path),
    help="Write the needed ops as TensorFlow's ops_to_register.h.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def command(
    model: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    signature: str,
    route: str,
    header: Path | None,
    as_json: bool,
) -> int:
    """List the ops MODEL needs, which of them the phone's runtime lacks, and what to do about each.

    A graph is cut down to what leads from its inputs to its outputs, which are guessed where they are clear.

    Exit status: 0 nothing lacks, 1 something lacks, 2 bad input, 3 undecided.
    """
    from harness.core.op_check import Route
    from harness.core.verdict import Answer
    from harness.errors import ExitStatus
    from harness.pipeline.check_model import check_model

    check = check_model(
        model,
        inputs=inputs,
        outputs=outputs,
        signature=signature,
        deciding=Route(route),
        header=header,
    )
    if as_json:
        document = check.model_dump(mode="json", exclude_none=True) | {"answer": check.answer.value}
        import json

        click.echo(json.dumps(document, indent=1))
    else:
        from rich.console import Console

        from harness.render.op_check import terminal_op_check

        Console().print(terminal_op_check(check))
    statuses = {
        Answer.PASS: ExitStatus.PASS,
        Answer.FAIL: ExitStatus.FAIL,
        Answer.UNDECIDED: ExitStatus.UNDECIDED,
    }
    return int(statuses[check.answer])

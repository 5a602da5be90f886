"""``harness report RUN``: show a stored run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "style",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
    help="For a person, a pull request or a script.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--disagreements", is_flag=True, help="List every disagreement, not only the first few.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to a file instead of the terminal.")
def command(run: Path, style: str, as_json: bool, disagreements: bool, output: Path | None) -> int:
    """Show the stored RUN. Needs no device, and works while the run is unfinished."""
    import io

    from harness.cli.places import runs_folder
    from harness.pipeline.evaluate import evaluate
    from harness.store import find_run
    from harness.wire.strict_json import write_text

    report = evaluate(find_run(run, runs_folder(None)))
    if as_json or style == "json":
        text = report.model_dump_json(indent=1) + "\n"
    elif style == "markdown":
        from harness.render.markdown import markdown_report

        text = markdown_report(report)
    else:
        from rich.console import Console

        from harness.render.terminal import terminal_disagreements, terminal_report

        shown = terminal_disagreements(report) if disagreements else terminal_report(report)
        if output is None:
            Console().print(shown)
            return 0
        recorder = Console(record=True, width=110, file=io.StringIO())
        recorder.print(shown)
        text = recorder.export_text()
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
    return 0

"""``harness report RUN``: show a stored run, or write it where people look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.core.report import RunReport
    from harness.pipeline.evaluate import Evaluation
    from harness.store import RunFolder

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "style",
    type=click.Choice(["terminal", "markdown", "json", "junit"]),
    help="For a person (the default), a pull request, a script or a CI system.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--disagreements", is_flag=True, help="List every disagreement, not only the first few.")
@click.option("--output", type=_FILE, help="Write to a file instead of the terminal.")
@click.option("--html", type=_FILE, help="Write a page that opens from disk.")
@click.option("--no-pictures", is_flag=True, help="Leave the inputs' pictures out of the page.")
@click.option("--markdown", type=_FILE, help="Write Markdown for a pull request or a job summary.")
@click.option("--junit", type=_FILE, help="Write JUnit XML: a test case for each variant and rule.")
@click.option(
    "--undecided",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What JUnit is told of a rule that is not decided.",
)
@click.option("--samples", type=_FILE, help="Write every sample as CSV (.csv or .csv.gz).")
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write event files for TensorBoard below this folder.",
)
@click.option(
    "--model-explorer",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write an overlay for Model Explorer for each variant whose layers were compared.",
)
def command(
    run: Path,
    style: str | None,
    as_json: bool,
    disagreements: bool,
    output: Path | None,
    html: Path | None,
    no_pictures: bool,
    markdown: Path | None,
    junit: Path | None,
    undecided: str,
    samples: Path | None,
    tensorboard: Path | None,
    model_explorer: Path | None,
) -> int:
    """Show the stored RUN. Needs no device, and works while the run is unfinished.

    Several files can be written at once; then nothing is shown, unless --format asks for it.
    """
    from harness.cli.places import runs_folder
    from harness.pipeline.evaluate import evaluation
    from harness.store import find_run
    from harness.wire.strict_json import write_text

    folder = find_run(run, runs_folder(None))
    evaluated = evaluation(folder)
    written: list[Path] = []
    if html is not None:
        from harness.pipeline.report_files import write_html

        written += write_html(folder, evaluated, html, pictures=not no_pictures)
    if markdown is not None:
        write_text(markdown, _text(evaluated.report, "markdown", undecided))
        written.append(markdown)
    if junit is not None:
        write_text(junit, _text(evaluated.report, "junit", undecided))
        written.append(junit)
    if samples is not None:
        from harness.pipeline.report_files import write_samples

        written.append(write_samples(evaluated, samples))
    if tensorboard is not None:
        from harness.pipeline.tensorboard import write_tensorboard

        written += write_tensorboard(evaluated.report, tensorboard)
    if model_explorer is not None:
        written += _overlays(folder, evaluated, model_explorer)
    for path in written:
        click.echo(f"wrote {path}", err=True)
    if not written or style is not None or as_json or disagreements or output is not None:
        _show(evaluated.report, "json" if as_json else style or "terminal", disagreements, output, undecided)
    return 0


def _show(report: RunReport, style: str, disagreements: bool, output: Path | None, undecided: str) -> None:
    import io

    from harness.wire.strict_json import write_text

    if style != "terminal":
        text = _text(report, style, undecided)
    else:
        from rich.console import Console

        from harness.render.terminal import terminal_disagreements, terminal_report

        shown = terminal_disagreements(report) if disagreements else terminal_report(report)
        if output is None:
            Console().print(shown)
            return
        recorder = Console(record=True, width=110, file=io.StringIO())
        recorder.print(shown)
        text = recorder.export_text()
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)


def _text(report: RunReport, style: str, undecided: str) -> str:
    if style == "json":
        return report.model_dump_json(indent=1) + "\n"
    if style == "junit":
        from harness.render.junit import junit_report

        return junit_report(report, undecided="skip" if undecided == "skip" else "fail")
    from harness.render.markdown import markdown_report

    return markdown_report(report)


def _overlays(folder: RunFolder, evaluated: Evaluation, into: Path) -> list[Path]:
    from harness.errors import UsageError
    from harness.pipeline.report_files import write_overlays

    written = write_overlays(folder, evaluated, into)
    if not written:
        raise UsageError(
            "no variant's layers were compared in this run",
            where=str(folder.path),
            next_step="Compare them first; docs/reports.md says how.",
        )
    return written

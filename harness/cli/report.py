"""``harness report RUN``: show a stored run, or write it where people look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.core.report import RunReport
    from harness.errors import UsageError
    from harness.pipeline.evaluate import Evaluation
    from harness.store import GroupFolder, RunFolder

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@click.argument("run")
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
    run: str,
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

    Several files can be written at once; then nothing is shown, unless --format asks for it. A run on several devices
    is shown with a column for each;  harness report RUN.1  shows the first one whole.
    """
    from harness.cli.named_runs import local_run
    from harness.cli.places import runs_folder
    from harness.pipeline.evaluate import evaluation
    from harness.store import GroupFolder, open_run
    from harness.store.need import Need
    from harness.wire.strict_json import write_text

    runs = runs_folder(None)
    need = Need.PICTURES if html is not None and not no_pictures else Need.REPORT
    folder = open_run(local_run(run, runs, need), runs)
    if isinstance(folder, GroupFolder):
        if any((junit, samples, tensorboard, model_explorer, disagreements, style == "junit")):
            raise _of_one_device(folder)
        return _show_group(
            folder, "json" if as_json else style, markdown, output, html, pictures=not no_pictures
        )
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


def _of_one_device(folder: GroupFolder) -> UsageError:
    from harness.errors import UsageError

    return UsageError(
        "ran on several devices, and this is written for one",
        where=str(folder.path),
        next_step=f"Name one device's run: harness report {folder.path.name}.1.",
    )


def _show_group(
    folder: GroupFolder,
    style: str | None,
    markdown: Path | None,
    output: Path | None,
    html: Path | None,
    *,
    pictures: bool,
) -> int:
    from harness.pipeline.report_group import report_group
    from harness.render.device_group import markdown_group, terminal_group
    from harness.wire.strict_json import write_text

    report = report_group(folder)
    written: list[Path] = []
    if html is not None:
        from harness.pipeline.report_files import write_group_html

        written += write_group_html(folder, report, html, pictures=pictures)
    if markdown is not None:
        write_text(markdown, markdown_group(report))
        written.append(markdown)
    for path in written:
        click.echo(f"wrote {path}", err=True)
    if written and style is None and output is None:
        return 0
    if style == "json":
        text = report.model_dump_json(indent=1) + "\n"
    elif style == "markdown":
        text = markdown_group(report)
    else:
        _print(terminal_group(report), output)
        return 0
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
    return 0


def _print(shown: RenderableType, output: Path | None) -> None:
    """On the terminal, or as it would look there in a file."""
    import io

    from rich.console import Console

    from harness.wire.strict_json import write_text

    if output is None:
        Console().print(shown)
        return
    recorder = Console(record=True, width=110, file=io.StringIO())
    recorder.print(shown)
    write_text(output, recorder.export_text())


def _show(report: RunReport, style: str, disagreements: bool, output: Path | None, undecided: str) -> None:
    from harness.wire.strict_json import write_text

    if style == "terminal":
        from harness.render.terminal import terminal_disagreements, terminal_report

        _print(terminal_disagreements(report) if disagreements else terminal_report(report), output)
        return
    text = _text(report, style, undecided)
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
            next_step=f"Compare them first: harness explain {folder.path} VARIANT",
        )
    return written

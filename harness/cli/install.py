"""``harness install RUNNER.ipa``: put the runner app on a phone."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("install")
@click.argument("package", type=click.Path(path_type=Path))
@click.option(
    "--target",
    default="iphone",
    show_default=True,
    help="iphone; where there are several iphone:UDID, or a query that finds one.",
)
def command(package: Path, target: str) -> int:
    """Install or update the runner app from PACKAGE, an .ipa signed for the phone.

    Its files on the phone stay. A copy of PACKAGE is kept, and  harness run  installs it where a phone lacks it.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn

    from harness.cli.places import cache_folder
    from harness.pipeline.choose_target import phone_udid
    from harness.pipeline.phones import install_runner

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:.0f} %"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(f"Installing {escape(package.name)}", total=100)
        phone, app = install_runner(
            package,
            phone_udid(target),
            cache_folder(),
            lambda percent: shown.update(task, completed=percent),
            lambda text: console.print(f"[yellow]waiting[/] {escape(text)}"),
        )
    click.echo(f"{app.bundle_id} {app.version} is installed on {phone.name or phone.udid}")
    return 0

"""``harness camera VARIANT``: put a variant on a phone for the app's live screens."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("camera")
@click.argument("variant")
@click.option(
    "--suite",
    type=click.Path(path_type=Path),
    help="Take labels and preprocessing from this suite; needed where VARIANT is a file.",
)
@click.option(
    "--target",
    default="iphone",
    show_default=True,
    help="iphone; where there are several iphone:UDID, or a query that finds one.",
)
@click.option("--top", type=click.IntRange(1, 100), default=5, show_default=True, help="Labels shown.")
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")
def command(variant: str, suite: Path | None, target: str, top: int, runs: Path | None) -> int:
    """Put VARIANT with its labels and preprocessing on the phone, for the app's camera or text screen.

    VARIANT is RUN:VARIANT, or a .tflite file with --suite. What the phone shows names the variant and its hash, which
    are printed here too.
    """
    from rich.console import Console

    from harness.cli.live_progress import LiveProgress
    from harness.cli.named_runs import local_side
    from harness.cli.places import cache_folder, runs_folder
    from harness.pipeline.camera import put_on_phone
    from harness.pipeline.choose_target import TargetSettings, choose_target, phone_udid
    from harness.targets.iphone.target import IphoneTarget

    udid = phone_udid(target)
    kept = runs_folder(runs)
    variant = local_side(variant, kept)
    with LiveProgress(Console(stderr=True)) as progress:
        name = f"iphone:{udid}" if udid else "iphone"
        phone = choose_target(name, TargetSettings(cache=cache_folder(), watcher=progress))
        assert isinstance(phone, IphoneTarget)
        try:
            live = put_on_phone(variant, suite, kept, phone, top=top)
        finally:
            phone.close()
    click.echo(f"{live.name} {live.model.sha256[:8]} ({live.model.bytes} bytes) is on {phone.description}")
    click.echo("Open Harness Runner there: its live screen shows that name and hash.")
    return 0

"""Progress of ``harness emoji`` on the terminal; plain lines where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from harness.core.emoji_training import Epoch, TrainingSettings
    from harness.emoji.training import Step


@contextmanager
def reading(paths: Sequence[Path]) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """What to call with the number of bytes read, and with the name of each stage."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        known = all(path.is_file() for path in paths)
        task = progress.add_task("Texts", total=sum(path.stat().st_size for path in paths) if known else None)
        yield (
            lambda read_bytes: progress.advance(task, read_bytes),
            lambda stage: progress.update(task, description=stage),
        )


@contextmanager
def training_progress(
    settings: TrainingSettings,
) -> Iterator[tuple[Callable[[Step], None], Callable[[int, Epoch], None]]]:
    """What to call with each step and with each finished epoch, of which a line stays."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        TimeRemainingColumn(),
    )
    name = settings.architecture.value
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{name}: starting", total=None, note="")

        def on_step(step: Step) -> None:
            progress.update(
                task,
                description=f"{name}: epoch {step.epoch}",
                total=step.batches,
                completed=step.batch,
                note=f"loss {step.loss:.3f}",
            )

        def on_epoch(number: int, epoch: Epoch) -> None:
            console.print(
                f"[bold]{name}[/] epoch {number}: loss {epoch.loss:.3f}, validation {epoch.validation_loss:.3f}, "
                f"top-1 {epoch.validation_top_1:.3f}, top-5 {epoch.validation_top_5:.3f} "
                f"[dim]{epoch.duration_s:.1f} s[/]",
                highlight=False,
                soft_wrap=True,
            )

        yield on_step, on_epoch


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """What to call with the name of each stage, shown while it lasts."""
    console = Console(stderr=True)
    with console.status("Starting") as status:
        yield lambda stage: status.update(stage)

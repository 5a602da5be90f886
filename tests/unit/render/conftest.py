from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import render_records
from rich.console import Console, RenderableType

from harness.core.report import RunReport

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture
def report() -> RunReport:
    return render_records.report()


@pytest.fixture
def check_snapshot() -> Callable[[str, str], None]:
    """Compares text with a snapshot file; ``UPDATE_SNAPSHOTS=1 pytest tests/unit/render`` writes it anew."""

    def check(name: str, text: str) -> None:
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        path = SNAPSHOTS / name
        if os.environ.get("UPDATE_SNAPSHOTS"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
def shown() -> Callable[..., str]:
    """Renders for a console of a width and an encoding, without colour."""

    def show(renderable: RenderableType, width: int = 100, encoding: str = "utf-8") -> str:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
        console = Console(
            file=stream, width=width, force_terminal=False, color_system=None, legacy_windows=False
        )
        console.print(renderable)
        stream.flush()
        return raw.getvalue().decode(encoding)

    return show

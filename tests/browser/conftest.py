"""A real browser: the system's Chromium without a window, driven by Playwright. No browser is ever downloaded."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from open_pages import Opener
from playwright.sync_api import Browser, sync_playwright

# The records of a hostile report, shared with the tests of the renderer.
sys.path.append(str(Path(__file__).parents[1] / "unit" / "render"))

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Not for the whole session: as long as Playwright is started it has an event loop, and other tests need their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opener]:
    """Opens pages; afterwards none may have made a request or reported an error."""
    opener = Opener(browser)
    yield opener
    for opened in opener.opened:
        opened.page.context.close()
        assert opened.requests == []
        assert opened.errors == []

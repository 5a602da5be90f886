"""Pages opened in a browser, watched for what no page may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize


@dataclass
class Opened:
    """A page in the browser, and what it did while it was open: all of this must stay empty."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@dataclass
class Opener:
    browser: Browser
    opened: list[Opened] = field(default_factory=list)

    def __call__(self, file: Path, *, width: int = 1280, dark: bool = False) -> Opened:
        """Open ``file`` from disk in a fresh profile and wait until its charts stand."""
        context = self.browser.new_context(
            viewport=ViewportSize(width=width, height=800), color_scheme="dark" if dark else "light"
        )
        opened = Opened(context.new_page())
        self.opened.append(opened)
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on(
            "console",
            lambda message: (
                opened.errors.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        opened.page.on(
            "request",
            lambda request: (
                opened.requests.append(request.url)
                if not request.url.startswith(("data:", file.as_uri()))
                else None
            ),
        )
        opened.page.goto(file.as_uri())
        return opened


def wait_until(page: Page, expression: str) -> None:
    """Until ``expression`` is true in the page. Playwright's own wait evaluates text there, which the page forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}")

"""Real Chromium, driven by Playwright."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from browsers import watched_page
from playwright.sync_api import Browser, Page, sync_playwright
from programs import find_program

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Chromium asks nothing of the network on its own; as root it has no sandbox."""


# Of a module, not of the session: while Playwright runs, its event loop runs in this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = find_program("chromium", "Debian: chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """``open_page(port, **options)``: see :func:`watched_page`."""
    with ExitStack() as stack:
        yield lambda port, **options: stack.enter_context(watched_page(browser, port, **options))

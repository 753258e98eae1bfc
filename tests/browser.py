"""A real Chromium for tests marked `browser`: skipped with a reason where absent, required under CI=true.

with chromium() as browser:
    page = open_page(browser, live_server.url, width=390)
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        assert os.environ.get("CI") != "true", "CI needs Chromium: apt-get install chromium"
        pytest.skip("Chromium is not installed")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    # Playwright's loop runs in this thread; the tests' own queries are made between its calls, never inside them.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            # Under the loop Django has connections of their own, which must not outlive their test: a later one may
            # find them ended with the database's other connections.
            connections.close_all()
            try:
                yield browser
            finally:
                connections.close_all()
                browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


def in_chinese(page: Page, base_url: str) -> None:
    page.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": base_url}])


def open_page(browser: Browser, base_url: str, *, width: int = 1280, dark: bool = False, **options: Any) -> Page:
    """A page of a new person, whose console's errors and refused requests are kept in `page.faults`."""
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        locale="en",
        reduced_motion="reduce",
        **options,
    )
    page = context.new_page()
    page.faults = []  # type: ignore[attr-defined]
    page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
    return page


def sign_in(page: Page, email: str, password: str) -> None:
    """As anyone would, by the form."""
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").or_(page.get_by_label("Email")).first.fill(email)
    page.get_by_label("Password").first.fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state()

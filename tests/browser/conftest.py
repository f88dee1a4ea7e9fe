"""A real browser against a live server.

One browser for all tests of this folder, a fresh context for each: cookies, storage and the cache of one test
are unknown to the next.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.acts import link_for
from tests.browser.checks import Watch
from tests.mail_server import PostBox, open_post_box

DEBIAN_CHROMIUM = Path("/usr/bin/chromium")
# Nothing may leave the machine on the browser's own account. (Playwright adds --no-sandbox by itself.)
CHROMIUM_ARGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
WAIT_MS = 10_000


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium where there is one, otherwise Playwright's own; without either the tests fail.

    Ends with the package, not with the session: Playwright keeps an event loop in this thread, and the
    permission to use the ORM beside it must not reach other tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_playwright() as playwright:
            path = DEBIAN_CHROMIUM if DEBIAN_CHROMIUM.exists() else None
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
            yield browser
            browser.close()


@pytest.fixture
def visitor(chromium: Browser, live_server: Any, settings: Any) -> Iterator[Callable[..., Page]]:
    """Open a page in a context of its own: `visitor()`, `visitor(java_script_enabled=False)`.

    Every test fails if one of its pages logged an error, broke the CSP or asked another host.
    """
    settings.SITE_URL = live_server.url
    opened: list[tuple[BrowserContext, Watch]] = []

    def visit(**options: Any) -> Page:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = chromium.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(WAIT_MS)
        opened.append((context, Watch(context, live_server.url)))
        return context.new_page()

    yield visit
    faults = [fault for _, watch in opened for fault in watch.faults()]
    for context, _ in opened:
        context.close()
    assert not faults, "\n".join(["", *faults])


@pytest.fixture
def signed_in(visitor: Callable[..., Page], browser_of: Callable[[Any], Any], live_server: Any) -> Callable[..., Page]:
    """Return a page of a user who has given both factors already: only the tests of signing in do it by hand."""

    def page_of(user: Any, **options: Any) -> Page:
        page = visitor(**options)
        session = browser_of(user).cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return page

    return page_of


@pytest.fixture
def post_box(settings: Any) -> Iterator[PostBox]:
    """The bank's mails go out by SMTP, to this box."""
    with open_post_box() as box:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        smtp = "django.core.mail.backends.smtp.EmailBackend"
        settings.POST_OFFICE = settings.POST_OFFICE | {"BACKENDS": {"default": smtp}}
        yield box


@pytest.fixture
def link_to(live_server: Any, settings: Any) -> Callable[[str], str]:
    """The path in the newest mail to an address, whose links lead to the live server."""

    def link(email: str) -> str:
        site, settings.SITE_URL = settings.SITE_URL, "http://testserver"
        try:
            return link_for(email)
        finally:
            settings.SITE_URL = site

    return link


@pytest.fixture
def screenshot_folder() -> Path | None:
    """Return the folder for photographs of the pages, for people to look at: SCREENSHOTS=<folder>."""
    name = os.environ.get("SCREENSHOTS")
    if not name:
        return None
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder

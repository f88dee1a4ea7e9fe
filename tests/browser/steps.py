"""Acts of people on the pages, for the stories that tests tell."""

import re
from typing import Any

from playwright.sync_api import Locator, Page

from tests.plugin import PASSWORD


def field(page: Page, label: str) -> Locator:
    """Return the field with exactly this label, required or not."""
    return page.get_by_label(re.compile(rf"^\s*{re.escape(label)}\s*\*?\s*$"))


def give_password(page: Page, user: Any, password: str = PASSWORD) -> None:
    """Take the first step of signing in, on its page."""
    field(page, "E-mail").fill(user.email)
    field(page, "Password").fill(password)
    page.get_by_role("button", name="Continue").click()


def give_code(page: Page, code: str, *, button: str = "Sign in") -> None:
    """Take the second step, also of enrolling, on its page."""
    page.locator("[name=code]").fill(code)
    page.get_by_role("button", name=button).click()

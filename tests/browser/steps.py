"""What people do on the pages, for the stories that tests tell."""

import re

from playwright.sync_api import Locator, Page


def field(page: Page, label: str) -> Locator:
    """The field with exactly this label, required or not."""
    return page.get_by_label(re.compile(rf"^\s*{re.escape(label)}\s*\*?\s*$"))

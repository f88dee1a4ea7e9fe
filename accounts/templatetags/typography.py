"""How words are set on the pages."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_KEPT = re.compile(r"(\b(?:e-mails?|two-factor|sign-ins?|[0-9]{4}-[0-9]{2}-[0-9]{2})\b|•••• [0-9]{4})", re.IGNORECASE)


@register.filter
def keep_together(text: str) -> SafeString:
    """The text, escaped, with words such as “e-mail” and “2026-11-30” kept whole at the end of a line, and masked
    account numbers too, which are set like all others.

    No style sheet can forbid the break after a hyphen, and another hyphen in its place would not be found by who
    searches the page. Only known words: whatever customers write must be able to break.
    """
    parts = enumerate(_KEPT.split(str(text)))  # every second one is a word to keep
    return format_html_join("", "{}", ((_whole(part) if number % 2 else part,) for number, part in parts))


def _whole(word: str) -> SafeString:
    return format_html('<span class="{}">{}</span>', "mono nowrap" if word.startswith("•") else "nowrap", word)

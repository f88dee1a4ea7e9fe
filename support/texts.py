"""What people write to each other in tickets: several lines in any script."""

import unicodedata

from accounts.plain_text import has_unprintable


def paragraphs(text: str) -> str:
    """The text as it is kept: NFC, its lines ended alike and without tabs, nothing empty around it."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    return "\n".join(line.rstrip().replace("\t", " ") for line in lines).strip()


def is_readable(text: str) -> bool:
    """Whether every line of it can be shown."""
    return not any(has_unprintable(line) for line in text.split("\n"))


def has_something_to_read(text: str) -> bool:
    """Whether any of it leaves a mark: not only white space and characters that nobody sees."""
    return any(unicodedata.category(char)[0] not in "ZC" for char in text)

"""What a text that people read may hold."""

import unicodedata

_REVERSING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


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


def has_unprintable(text: str) -> bool:
    """Control characters, lone surrogates, and marks that reverse the reading direction of what follows.

    Joiners stay allowed: Persian names and emoji need them.
    """
    return any(char in _REVERSING or unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} for char in text)


def length_of(text: str) -> int:
    """Its characters as a column counts them: SQL Server takes one outside the basic plane, an emoji say, as two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def beginning_of(text: str, max_chars: int) -> str:
    """As much of it as a column of `max_chars` holds everywhere."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * max_chars].decode("utf-16-le", "ignore")


def is_longer_than(text: str, max_chars: int) -> bool:
    """Whether a column of `max_chars` cannot hold it everywhere."""
    return length_of(text) > max_chars

"""What a text that people read may hold."""

import unicodedata

# Dashes that Unicode does not count among them: the minus sign and the hyphen bullet.
_MORE_DASHES = "\u2212\u2043"
# What stays of a letter whose stroke or ligature Unicode does not take apart.
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ħ": "h", "ł": "l", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
    | dict.fromkeys("\u2019\u2018\u02bc\u02b9\u2032\u00b4`", "'")
)
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


def without_marks(text: str) -> str:
    """The text without what nobody sees: direction marks, joiners, zero-width spaces, soft hyphens. And each of
    Unicode's spaces is a plain one; tabs and ends of lines stay what they are."""
    seen = (char for char in text if unicodedata.category(char) != "Cf")
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in seen)


def run_together(text: str) -> str:
    """What stands between spaces and dashes of any kind, in one: a number or a code copied from a PDF or a chat."""
    return "".join(
        char
        for char in without_marks(text)
        if char != " " and char not in _MORE_DASHES and unicodedata.category(char) != "Pd"
    )


def folded(text: str, max_chars: int | None = None) -> str:
    """The text for a search that asks neither for accents nor case: `Émigré` and `emigre`, `Straße` and `STRASSE` are
    one, and an apostrophe, a dash, a space each is like any other. What it is compared with is folded the same way.

    Args:
        max_chars: cut to what a column of so many characters holds everywhere.
    """
    if text.isascii():
        plain = text.lower().replace("`", "'")
    else:
        apart = unicodedata.normalize("NFKD", without_marks(text)).casefold().translate(_PLAIN_LETTERS)
        dashes = {ord(char): "-" for char in apart if char in _MORE_DASHES or unicodedata.category(char) == "Pd"}
        kept = (char for char in apart.translate(dashes) if not _is_accent(char))
        plain = unicodedata.normalize("NFC", "".join(kept))
    return plain if max_chars is None else beginning_of(plain, max_chars)


def _is_accent(char: str) -> bool:
    """A mark that one may leave out: accents, vowel points of Hebrew and Arabic. Not the vowel signs of Indic scripts,
    Thai and Lao, nor what makes another sound of a kana: without them it is another word."""
    return unicodedata.category(char) == "Mn" and unicodedata.combining(char) >= 10 and not "\u0e00" <= char <= "\u0eff"

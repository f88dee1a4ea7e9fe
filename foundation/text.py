"""What a text that people read may contain."""

import unicodedata

# Dashes that Unicode does not count as dashes: the minus sign and the hyphen bullet.
_MORE_DASHES = "\u2212\u2043"
# What remains of letters with a stroke or ligature that Unicode does not take apart.
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ħ": "h", "ł": "l", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
    | dict.fromkeys("\u2019\u2018\u02bc\u02b9\u2032\u00b4`", "'")
)
_REVERSING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def paragraphs(text: str) -> str:
    """Return the text as it is kept: NFC, its lines ended alike and without tabs, no empty lines around it."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    return "\n".join(line.rstrip().replace("\t", " ") for line in lines).strip()


def is_readable(text: str) -> bool:
    """Return whether every line of it can be shown."""
    return not any(has_unprintable(line) for line in text.split("\n"))


def has_something_to_read(text: str) -> bool:
    """Return whether any of it is visible: more than white space and invisible characters."""
    return any(unicodedata.category(char)[0] not in "ZC" for char in text)


def has_unprintable(text: str) -> bool:
    """Return whether it has control characters, lone surrogates, or marks that reverse the reading direction of what
    follows.

    Joiners stay allowed: Persian names and emoji need them.
    """
    return any(char in _REVERSING or unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} for char in text)


def length_of(text: str) -> int:
    """Return its number of characters as a column counts them: SQL Server counts one outside the basic plane, such as
    an emoji, as two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def beginning_of(text: str, max_chars: int) -> str:
    """Return as much of it as a column of `max_chars` holds on every engine."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * max_chars].decode("utf-16-le", "ignore")


def is_longer_than(text: str, max_chars: int) -> bool:
    """Return whether a column of `max_chars` cannot hold it on some engine."""
    return length_of(text) > max_chars


def without_marks(text: str) -> str:
    """Return the text without invisible characters: direction marks, joiners, zero-width spaces, soft hyphens. Each of
    Unicode's spaces becomes a plain one; tabs and ends of lines stay."""
    seen = (char for char in text if unicodedata.category(char) != "Cf")
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in seen)


def run_together(text: str) -> str:
    """Return the text without spaces and dashes of any kind: a number or a code copied from a PDF or a chat."""
    return "".join(
        char
        for char in without_marks(text)
        if char != " " and char not in _MORE_DASHES and unicodedata.category(char) != "Pd"
    )


def folded(text: str, max_chars: int | None = None) -> str:
    """Return the text for a search that ignores accents and case: `Émigré` and `emigre`, `Straße` and `STRASSE` are the
    same, and so are all apostrophes, all dashes, all spaces. Both sides of a comparison are folded.

    Args:
        max_chars: cut to what a column of this many characters holds on every engine.
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
    """Return whether it is a mark that people may leave out: accents, vowel points of Hebrew and Arabic. The vowel
    signs of Indic scripts, Thai and Lao and the sound marks of kana are not: without them it is another word."""
    return unicodedata.category(char) == "Mn" and unicodedata.combining(char) >= 10 and not "\u0e00" <= char <= "\u0eff"

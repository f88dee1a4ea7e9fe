"""What a text looks like: one spelling for all texts that people take for the same (Unicode Technical Standard 39)."""

import re
import unicodedata
from functools import cache

from confusable_homoglyphs import categories, confusables

# Beyond the standard's table, which reads m as rn but not rn as m, and whose l is a capital I; our skeletons have no
# case.
_READ_AS = (("rn", "m"), ("vv", "w"), ("l", "i"), ("π", "n"))
# Latin letters in another form: small capitals, squared, circled.
_DRESSED = re.compile(r"LATIN (?:CAPITAL |SMALL )?LETTER (?:SMALL CAPITAL )?([A-Z])$")
_INVISIBLE_MARKS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"


def script_of(char: str) -> str:
    """Return the script of a character, such as LATIN; COMMON or INHERITED if it belongs to none."""
    return str(categories.alias(char))


def is_invisible(char: str) -> bool:
    """Return whether the character is invisible: joiners, marks of direction, fillers, variation selectors."""
    return (
        unicodedata.category(char) == "Cf"
        or char in _INVISIBLE_MARKS
        or "\u180b" <= char <= "\u180f"
        or is_variation_selector(char)
    )


def is_variation_selector(char: str) -> bool:
    """Return whether it chooses between forms of the character before it, as in some Japanese names."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def skeleton(text: str) -> str:
    """Return the text with one character in place of all that look like it, whatever their script, case and accents.

    Texts that people take for the same have the same skeleton. It is for comparing, never for showing: l, I and 1 are
    one character in it. Invisible characters are left out; spaces and punctuation stay.
    """
    seen = (char for char in unicodedata.normalize("NFKC", text) if not is_invisible(char))
    looks = "".join(_look_of(char) for char in unicodedata.normalize("NFD", "".join(seen)))
    looks = _without_accents(looks.casefold())
    for read, written in _READ_AS:
        looks = looks.replace(read, written)
    return looks


@cache
def _look_of(char: str) -> str:
    """Return the stand-in for the character: an ASCII one, if it looks like one in either case."""
    if not char.isascii() and (dressed := _DRESSED.search(unicodedata.name(char, ""))):
        return dressed[1]
    forms = [_prototype(form) for form in (char, char.upper(), char.lower())]
    return next((form for form in forms if form.isascii()), min(forms))


def _prototype(char: str) -> str:
    """Return the first of all characters that look alike: ASCII letters before other ASCII characters, and these before
    all others."""
    alike = {char} | _alike(char)
    alike |= {other for one in alike for other in _alike(one)}
    return min(map(_without_accents, alike), key=lambda one: (not one.isascii(), not one.isalpha(), len(one), one))


def _alike(text: str) -> set[str]:
    """Yield the characters that the standard's table pairs with it; in each pair, one is read as the other."""
    return {pair["c"].strip("\u200e") for pair in confusables.confusables_data.get(text, ())}


def _without_accents(text: str) -> str:
    """Return the text without marks that may stand on any letter. Vowels of Indic scripts are marks, too, and stay."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(char for char in parts if unicodedata.category(char) != "Mn" or script_of(char) != "INHERITED")

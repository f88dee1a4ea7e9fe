"""What a text looks like: one spelling for all that people take for the same (Unicode Technical Standard 39)."""

import re
import unicodedata
from functools import cache

from confusable_homoglyphs import categories, confusables

# Beyond the standard's table. It reads m as rn, and not the other way; its l is a capital I, and ours has no case.
_READ_AS = (("rn", "m"), ("vv", "w"), ("l", "i"), ("π", "n"))
# Letters of Latin in another dress: small capitals, squared, circled.
_DRESSED = re.compile(r"LATIN (?:CAPITAL |SMALL )?LETTER (?:SMALL CAPITAL )?([A-Z])$")
_INVISIBLE_MARKS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"


def script_of(char: str) -> str:
    """The script that a character belongs to, such as LATIN; COMMON or INHERITED, if to none of its own."""
    return str(categories.alias(char))


def is_invisible(char: str) -> bool:
    """Whether it leaves no mark of its own: joiners, marks of direction, fillers, variation selectors."""
    return (
        unicodedata.category(char) == "Cf"
        or char in _INVISIBLE_MARKS
        or "\u180b" <= char <= "\u180f"
        or is_variation_selector(char)
    )


def is_variation_selector(char: str) -> bool:
    """Whether it chooses between forms of the character before it, as some Japanese names do."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def skeleton(text: str) -> str:
    """The text with one character in place of all that look like it, whatever their script, case and accents.

    Two texts that people take for the same have one skeleton. It is for comparing, never for showing: l, I and 1 are
    one character in it. What is invisible has no place in it; spaces and punctuation stay.
    """
    seen = (char for char in unicodedata.normalize("NFKC", text) if not is_invisible(char))
    looks = "".join(_look_of(char) for char in unicodedata.normalize("NFD", "".join(seen)))
    looks = _without_accents(looks.casefold())
    for read, written in _READ_AS:
        looks = looks.replace(read, written)
    return looks


@cache
def _look_of(char: str) -> str:
    """What stands for the character: one in ASCII, if it looks like one in either case."""
    if not char.isascii() and (dressed := _DRESSED.search(unicodedata.name(char, ""))):
        return dressed[1]
    forms = [_prototype(form) for form in (char, char.upper(), char.lower())]
    return next((form for form in forms if form.isascii()), min(forms))


def _prototype(char: str) -> str:
    """The first of all that look alike: letters of ASCII before its other characters, and these before all others."""
    alike = {char} | _alike(char)
    alike |= {other for one in alike for other in _alike(one)}
    return min(map(_without_accents, alike), key=lambda one: (not one.isascii(), not one.isalpha(), len(one), one))


def _alike(text: str) -> set[str]:
    """What the standard's table has beside it; of each pair, one is what the other is read as."""
    return {pair["c"].strip("\u200e") for pair in confusables.confusables_data.get(text, ())}


def _without_accents(text: str) -> str:
    """Without marks that may stand on any letter. Vowels of Indic scripts are marks, too, and stay."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(char for char in parts if unicodedata.category(char) != "Mn" or script_of(char) != "INHERITED")

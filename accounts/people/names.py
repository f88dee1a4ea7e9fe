"""Which names a person may have: real ones in any script, and none that people take for the bank's (R1.8)."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise, permutations

from django.conf import settings

from foundation.lookalikes import is_invisible, is_variation_selector, script_of, skeleton
from foundation.refusals import Refusal

# Scripts that people write together; every other script must be alone (Unicode Technical Standard 39, 5.2).
_WRITTEN_TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
)
_OF_EVERY_SCRIPT = {"COMMON", "INHERITED", "UNKNOWN"}
_JOINERS = "\u200c\u200d"
# No letter of these scripts joins the next one: a joiner in them only deceives.
_WITHOUT_JOINERS = _OF_EVERY_SCRIPT | {
    *("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW"),
    *("HAN", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL"),
}

# Digits and signs that replace letters they hardly resemble.
_AS_LETTERS = str.maketrans("3457@$!+", "eastasit")
# Letters that the standard's table does not take for ours, or loses: a sharp s is two.
_LIKE_LETTERS = str.maketrans("8ßẞ₿əǝɘƏƎ", "bbbbeeeEE")
# What banks call themselves and their desks. Together with the bank's own word they make a name the bank's: "Alder
# Support".
_OF_BANKS = (
    "account accounts admin administration administrator ag alert alerts and assistance bank banking billing"
    " card cards care center centre claims clearing co collections company compliance corp credit customer"
    " customers department desk e finance fraud gmbh group help helpdesk holding hotline identity inc info"
    " international limited llc ltd mobile my no notice notification notifications of official online"
    " operations our payments plc prevention protection refund refunds risk sa safety savings security service"
    " services settlement settlements staff support team the transfers treasury trust verification your"
)
_LONGEST_SHUFFLED = 4  # words of a bank's name that are searched for in any order


class NameRefused(Refusal):
    """Nobody may have this name. Shown at the field of the first name."""

    status = 422


class NameReserved(NameRefused):
    code = "name_reserved"
    text = "This is the bank’s own name, or looks like it. Nobody else can use it."


class NameInTwoAlphabets(NameRefused):
    code = "name_in_two_alphabets"
    text = "This name mixes letters of two alphabets. Write it in one."


class NameWithHiddenCharacters(NameRefused):
    code = "name_with_hidden_characters"
    text = "This name has characters that nobody can see. Type it instead of pasting it."


def check_name(first_name: str, last_name: str) -> None:
    """Accept real names in any one script, and refuse all others.

    Raises:
        NameWithHiddenCharacters, NameInTwoAlphabets
        NameReserved: people would take it for the bank's own, by `settings.BANK_NAME`.
    """
    name = f"{first_name} {last_name}".strip()
    check_visible(name)
    scripts = {script_of(char) for char in name if char.isalpha()} - _OF_EVERY_SCRIPT
    if len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER):
        raise NameInTwoAlphabets
    if is_the_banks(name):
        raise NameReserved


def check_visible(name: str) -> None:
    """Refuse invisible characters, unless the script needs them: joiners of Persian and Indic names, the forms of Han
    characters.

    Raises:
        NameWithHiddenCharacters
    """
    for before, char in pairwise(f" {name}"):
        needed = (char in _JOINERS and script_of(before) not in _WITHOUT_JOINERS) or (
            is_variation_selector(char) and script_of(before) == "HAN"
        )
        if is_invisible(char) and not needed:
            raise NameWithHiddenCharacters


def is_the_banks(name: str) -> bool:
    """Return whether people would take it for the bank's own name, whatever its spaces, case, accents, order and
    letters.

    Anybody may have the bank's distinctive word alone: a person may be called Alder at the Alder Bank.
    """
    for write in (str, str.upper, str.lower):  # Greek letters look like others in another case
        bank = _words(write(settings.BANK_NAME))
        if bank and any(_is_of(bank, _words(write(spelling))) for spelling in _ways_to_read(name)):
            return True
    return False


def _is_of(bank: tuple[str, ...], words: tuple[str, ...]) -> bool:
    beside = Counter(words) - Counter(bank)
    has_all = not Counter(bank) - Counter(words)
    distinctive = Counter(bank) - _of_banks()
    with_a_desk = bool(beside) and not Counter(words) - distinctive - _of_banks() and not distinctive - Counter(words)
    if len(bank) == 1:
        return words == bank or "".join(words) == bank[0] or (bool(distinctive) and with_a_desk)
    spellings = _spellings(bank)
    return (
        has_all
        or (bool(distinctive) and with_a_desk)
        or any(run in spellings for run in _runs(words, len("".join(bank))))
        or any(word.startswith("".join(bank)) for word in words)
    )


def _runs(words: tuple[str, ...], longest: int) -> Iterator[str]:
    """Yield neighbours written as one word, up to `longest` characters: A l d e r, too, is the word."""
    for begin in range(len(words)):
        run = ""
        for word in words[begin:]:
            run += word
            if len(run) > longest:
                break
            yield run


@cache
def _spellings(bank: tuple[str, ...]) -> frozenset[str]:
    """Return the bank's words written as one, in any order."""
    orders = permutations(bank) if len(bank) <= _LONGEST_SHUFFLED else [bank, bank[::-1]]
    return frozenset("".join(order) for order in orders)


@cache
def _of_banks() -> Counter[str]:
    """Return the bank's words, each as many times as a name can contain it."""
    return Counter(dict.fromkeys(_words(_OF_BANKS), 200))


@lru_cache(maxsize=1000)
def _words(text: str) -> tuple[str, ...]:
    """Return what the name looks like, word by word."""
    return tuple(re.findall(r"[^\W_]+", skeleton(text.translate(_LIKE_LETTERS)).translate(_AS_LETTERS)))


def _ways_to_read(name: str) -> Iterator[str]:
    """Yield the text unchanged, with words split at capitals, and without a number attached to a word: `Bank24`."""
    yield name
    yield _at_capitals(name)
    yield re.sub(r"(?<=[^\W\d_])\d+(?!\w)", " ", name)


def _at_capitals(name: str) -> str:
    """Return the text with a space before each capital inside a word: AlderBank is two."""
    return "".join(f" {char}" if before.islower() and char.isupper() else char for before, char in pairwise(f" {name}"))

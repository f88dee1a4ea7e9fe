"""Whether a typed name is the name of an account's holder (R3.6).

As in Verification of Payee: match, near match or no match. Pure: two names in, one answer out; no rows, no clock, no
settings. The caller counts the guesses (`transfers.payees.services`), and shows a name only after a match or a near
match. So the rules are strict where a guess would be cheap:

- Accents, case, hyphens, apostrophes, titles and the order of the words do not count. Nothing else is left out.
- A near match has one or two wrong letters in the given name and in the surname each; or lacks a second given name, or
  one half of a double surname. One extra word is allowed, not a list of guesses.
- Half a name is not a match, and initials are not either: a few tries would find each.
- A business is compared as a whole; only its legal form may be missing.
- Letters that look alike are different letters. A payer who typed `Alder` and is shown `AIder` would take it for the
  name they typed, so a difference only in such letters is never a match, not even a near one. A name whose words mix
  alphabets is never confirmed, whatever is typed: no real name does.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise, permutations

from rapidfuzz.distance import OSA

from foundation.lookalikes import script_of, skeleton
from foundation.text import folded
from transfers.models import NameCheck


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TITLES = _set_of("mr mrs ms mx dr prof")
# Only at the beginning: these are surnames too.
_LEADING_TITLES = _TITLES | _set_of("miss sir dame lord lady herr frau mme mlle sra srta professor doctor dipl")
_BEHIND_TITLES = _set_of("med phil rer nat ing jur hc h c")
_LEGAL_FORMS = _set_of(
    "ltd limited plc llc llp inc incorporated corp corporation gmbh mbh kg ohg gbr sarl sas srl spa aps doo zoo"
)
# Only for holders with the whole name in one field: these are surnames too.
_SHORT_LEGAL_FORMS = _set_of("co company ag ug ev ek se sa bv nv ab as oy")
_ALL_LEGAL_FORMS = _LEGAL_FORMS | _SHORT_LEGAL_FORMS
# Words that join a name's parts: "von", "de la".
_PARTICLES = _set_of("von van der den de la le du di da del dos das y e zu zur zum ter ten al el bin ibn")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
# Written together in one word, and not to be confused with one another.
_WRITTEN_TOGETHER = frozenset({"HAN", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL"})
_OF_EVERY_SCRIPT = {"COMMON", "INHERITED"}

_MOST_WORDS = 12  # a longer text is a list of guesses, not a name


@dataclass(frozen=True)
class _Word:
    """A word in all spellings of the same word, and what it looks like."""

    spellings: frozenset[str]
    look: str


def compare(typed: str, first_name: str, last_name: str = "") -> NameCheck:
    """Return the result of comparing `typed` with the holder's name; a business has its name in one of the two fields,
    or a legal form in it."""
    whole = f"{first_name} {last_name}".strip()
    # A holder whose name has fewer than two words without a title keeps the title: "Smith" is half of "Dr Smith".
    words, named = _untitled(_words(typed)), _untitled(_words(whole), least=2)
    if not words or not named or len(words) > _MOST_WORDS or _mixes_alphabets(whole) or _mixes_alphabets(typed):
        return NameCheck.NO_MATCH
    if _is_business(whole, last_name):
        return _compare_wholes(words, named)
    if _same_words(words, named) or _same_joined(words, named) or _same_words(_words(typed), _words(whole)):
        return NameCheck.MATCH
    if _is_near(words, _untitled(_words(first_name)), _words(last_name)):
        return NameCheck.NEAR
    return NameCheck.NO_MATCH


def guess_of(text: str) -> str:
    """Return the one spelling in which guesses are told apart: the same words in another order are the same guess."""
    return " ".join(sorted(min(word.spellings) for word in _untitled(_words(text))))


# --- Words ---------------------------------------------------------------------------------------------------


def _words(text: str) -> list[_Word]:
    parts = [part for part in _parts(text) if any(map(str.isalnum, part))]
    return [_Word(frozenset({_plain(part), _plain(part, _UMLAUTS)}), skeleton(part)) for part in parts]


def _untitled(words: list[_Word], *, least: int = 1) -> list[_Word]:
    """Return the words without titles; with them, if fewer than `least` would be left."""
    lead = 0
    while lead < len(words) and words[lead].spellings & (_LEADING_TITLES | (_BEHIND_TITLES if lead else frozenset())):
        lead += 1
    without = [word for word in words[lead:] if not word.spellings & _TITLES]
    return without if len(without) >= least else words


def _parts(text: str) -> list[str]:
    """Return the parts, split at spaces, hyphens and other separators; apostrophes and points join or end a word."""
    text = unicodedata.normalize("NFKC", text).replace("&", " and ")
    text = re.sub(r"[’‘ʼʻ'`´.·]", "", re.sub(r"\.(?=\S)", ". ", text))
    return re.split(r"[\s\-‐-―/,;:_()\"“”„]+", text)


def _plain(part: str, letters: dict[int, str] | None = None) -> str:
    """Return the text without case and accents; `letters` are written out before they lose theirs."""
    text = folded(unicodedata.normalize("NFC", part.casefold()).translate(letters or {}))
    return "".join(char for char in text if char.isalnum() or unicodedata.category(char).startswith("M"))


def _mixes_alphabets(text: str) -> bool:
    """Return whether a word has letters of two alphabets, as `Bоb` with a Cyrillic о has."""
    for part in _parts(text):
        used = {script_of(char) for char in part if char.isalpha()} - _OF_EVERY_SCRIPT
        if len(used) > 1 and not used <= _WRITTEN_TOGETHER:
            return True
    return False


# --- The same, or close --------------------------------------------------------------------------------------


def _are_same(word: _Word, other: _Word) -> bool:
    return bool(word.spellings & other.spellings)


def _same_words(words: list[_Word], named: list[_Word]) -> bool:
    """Return whether they are the same words, in any order, each once."""
    if len(words) != len(named):
        return False
    left = list(named)
    for word in words:
        found = next((other for other in left if _are_same(word, other)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _same_joined(words: list[_Word], named: list[_Word]) -> bool:
    """Return whether they are the same letters in the same order, wherever a space is: `Annalena`, `Mc Donald`."""
    return bool(_joined(words) & _joined(named))


def _joined(words: list[_Word]) -> set[str]:
    return {"".join(pick(word.spellings) for word in words) for pick in (min, max)}


def _are_close(word: _Word, other: _Word) -> bool:
    """Return whether they are the same except for slips: none in three letters or less, one in up to seven, two in
    more. Letters that only look the same are not close."""
    if _are_same(word, other):
        return True
    if word.look == other.look:
        return False
    return any(_is_slip(one, two) for one in word.spellings for two in other.spellings)


def _is_slip(one: str, two: str) -> bool:
    longest, shortest = max(len(one), len(two)), min(len(one), len(two))
    if shortest < 3 or longest < 4 or script_of(one[0]) != script_of(two[0]):
        return False
    most = 1 if longest < 8 else 2
    return OSA.distance(one, two, score_cutoff=most) <= most


# --- People --------------------------------------------------------------------------------------------------


def _is_near(words: list[_Word], given: list[_Word], surnames: list[_Word]) -> bool:
    """Return whether a given name and a surname are each close to a word of their own, and at most one word is
    neither."""
    if not surnames:
        return len(words) == len(given) and _all_close(words, given)
    for candidate in (words, *_with_two_as_one(words, given + surnames)):
        if len(candidate) - len(given) - len(surnames) <= 1 and _has_both(candidate, given, surnames):
            return True
    return False


def _has_both(words: list[_Word], given: list[_Word], surnames: list[_Word]) -> bool:
    meant_given = [word for word in given if not _is_particle(word)] or given
    meant_surnames = [word for word in surnames if not _is_particle(word)] or surnames
    for first, last in permutations(range(len(words)), 2):
        if any(_are_close(words[first], name) for name in meant_given) and any(
            _are_close(words[last], name) for name in meant_surnames
        ):
            rest = [word for place, word in enumerate(words) if place not in (first, last)]
            strange = [word for word in rest if not any(_are_close(word, name) for name in given + surnames)]
            return len(strange) <= 1 and not any(
                word.look == name.look for word in strange for name in given + surnames
            )
    return False


def _with_two_as_one(words: list[_Word], names: list[_Word]) -> list[list[_Word]]:
    """Return the words with two neighbours written as one, if that makes one of the names: `Mac Intyre`. Two that make
    none stay two: otherwise a second person's name would be the one extra word."""
    joined = [(place, _as_one(one, two)) for place, (one, two) in enumerate(pairwise(words))]
    return [
        [*words[:place], one, *words[place + 2 :]]
        for place, one in joined
        if any(_are_close(one, name) for name in names)
    ]


def _as_one(one: _Word, two: _Word) -> _Word:
    return _Word(frozenset(_joined([one, two])), one.look + two.look)


def _is_particle(word: _Word) -> bool:
    return bool(word.spellings & _PARTICLES)


def _all_close(words: list[_Word], named: list[_Word]) -> bool:
    return all(_are_close(one, two) for one, two in zip(words, named, strict=True))


# --- Businesses ----------------------------------------------------------------------------------------------


def _is_business(whole: str, last_name: str) -> bool:
    """Return whether it is a business: several words in one name, or a legal form, or an "and"."""
    words = _words(whole)
    if len(words) > 1 and not last_name.strip():
        return True
    return "&" in whole or any(word.spellings & _LEGAL_FORMS for word in words[1:])


def _compare_wholes(words: list[_Word], named: list[_Word]) -> NameCheck:
    """Compare all words in their order; a legal form may be missing, and another one is a near match."""
    typed_core, typed_form = _core_and_form(words)
    core, form = _core_and_form(named)
    if _same_joined(typed_core, core):
        return NameCheck.NEAR if typed_form and form and typed_form != form else NameCheck.MATCH
    if _same_words(typed_core, core):
        return NameCheck.NEAR
    as_wholes = [_as_whole(typed_core), _as_whole(core)]
    return NameCheck.NEAR if _all_close(as_wholes[:1], as_wholes[1:]) else NameCheck.NO_MATCH


def _as_whole(words: list[_Word]) -> _Word:
    return _Word(frozenset(_joined(words)), "".join(word.look for word in words))


_SAME_FORM = {"limited": "ltd", "incorporated": "inc", "corporation": "corp", "company": "co"}


def _core_and_form(words: list[_Word]) -> tuple[list[_Word], str]:
    """Return the name without the legal forms at its end, and these in one spelling."""
    core, forms = list(words), []
    while len(core) > 1 and core[-1].spellings & _ALL_LEGAL_FORMS:
        form = min(core.pop().spellings)
        forms.append(_SAME_FORM.get(form, form))
    return core, " ".join(forms)

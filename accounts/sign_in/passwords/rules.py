"""Which passwords the bank accepts: long enough, and not among those that attackers try first (NIST SP 800-63B-4,
3.1.1.2).

No rule asks for digits, capitals or signs: such rules make people add "1!" to a word. A password is judged as it came,
which is what is hashed, and in NFKC, so that no other spelling of a common word passes.
"""

import re
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from accounts.sign_in.passwords.hashing import MAX_PASSWORD_CHARS, is_hashable, length_of_password, normalised

# What remains of a password without its easily guessed parts must be at least this long.
_FEWEST_SURPRISES = 5
_SHORTEST_REPEATED_PART = 8
# Shorter entries of the list of common passwords count only by themselves: many words are made of two of them.
_SHORTEST_COMMON = 4

# Keyboards as people see them: rows, and columns one after the other.
_RUNS = (
    *("01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm"),
    *("qwertzuiopü", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", "!@#$%^&*()", "йцукенгшщзхъ", "фывапролджэ"),
    *("1qaz2wsx3edc4rfv5tgb6yhn7ujm", "1q2w3e4r5t6y7u8i9o0p"),
)
_NEIGHBOURS = {pair for run in _RUNS for order in (run, run[::-1]) for pair in pairwise(order)}

_EXPECTED_WORDS = (
    *("password", "passwort", "passphrase", "motdepasse", "contraseña", "пароль", "welcome", "letmein", "admin"),
    *("administrator", "qwerty", "qwertz", "azerty", "iloveyou", "login", "secret", "changeme", "default"),
    *("bank", "banking", "money", "account", "customer", "online"),
    *("january", "february", "march", "april", "june", "july", "august", "september", "october", "november"),
    *("december", "spring", "summer", "autumn", "winter"),
)


def check_new_password(password: str, person: Any) -> None:
    """Check that `person` may choose this password.

    Raises:
        ValidationError: each reason, in words for the person who typed it.
    """
    if not is_hashable(password):
        # Before any other rule: their work grows with the length.
        raise ValidationError(f"A password has at most {MAX_PASSWORD_CHARS} characters.", code="password_too_long")
    LengthValidator().validate(password, person)
    for spelling in dict.fromkeys((normalised(password), password)):
        password_validation.validate_password(spelling, person)


def password_help() -> str:
    """Return the text of forms below a new password."""
    return (
        f"At least {settings.PASSWORD_MIN_CHARS} characters, up to {MAX_PASSWORD_CHARS}: a few unrelated words do well."
        " Spaces and letters of any script are fine, and so is pasting from a password manager."
    )


class LengthValidator:
    """Counts code points; none counts twice because it can be written as several."""

    def validate(self, password: str, user: Any = None) -> None:
        if length_of_password(password) < settings.PASSWORD_MIN_CHARS:
            raise ValidationError(
                f"This password is too short. It needs at least {settings.PASSWORD_MIN_CHARS} characters.",
                code="password_too_short",
            )


class CommonPasswordValidator(password_validation.CommonPasswordValidator):
    """Refuses Django's list of twenty thousand, also two of them in a row, and with up to six digits and signs before
    and after: few of the list are as long as ours must be, and what people make of the others to lengthen them is what
    lists of longer ones begin with (ASVS V6.2.4)."""

    def validate(self, password: str, user: Any = None) -> None:
        super().validate(password, user)
        core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password).lower()
        is_most_of_it = len(password) - len(core) <= 6
        if is_most_of_it and core in self.passwords:
            raise ValidationError(
                "This is a common password with a few digits or signs around it.", code="password_too_common"
            )
        if self._is_two(password.lower()) or (is_most_of_it and self._is_two(core)):
            raise ValidationError("This is two common passwords in a row.", code="password_too_common")

    def _is_two(self, text: str) -> bool:
        ends = range(_SHORTEST_COMMON, len(text) - _SHORTEST_COMMON + 1)
        return any(text[:end] in self.passwords and text[end:].lstrip(" -_.") in self.passwords for end in ends)


class ExpectedWordsValidator:
    """Refuses passwords made of the bank's name, the person's name and the usual words, with digits between."""

    def validate(self, password: str, user: Any = None) -> None:
        rest = password.casefold()
        words = sorted({*_EXPECTED_WORDS, *_words_in(settings.BANK_NAME), *_words_of(user)}, key=len, reverse=True)
        for word in words:
            rest = rest.replace(word, " ")
        if " " in rest and len(re.sub(r"[\W\d_]", "", rest)) < _FEWEST_SURPRISES:
            raise ValidationError(
                "This password is made of words that are guessed first: the bank’s name, yours, or common ones.",
                code="password_expected_words",
            )


class PatternValidator:
    """Refuses repetition (aaaaaaaaaaaa, abcabcabcabc), sequences (123456789012) and rows of the keyboard."""

    def validate(self, password: str, user: Any = None) -> None:
        text = password.casefold()
        period = _period_of(text)
        repeats = period < len(text) and period < _SHORTEST_REPEATED_PART
        if repeats or any(_surprises(text[:period], lag) < _FEWEST_SURPRISES for lag in (1, 2)):
            raise ValidationError(
                "This password follows a pattern, such as repeated letters, 1234 or a row of the keyboard.",
                code="password_pattern",
            )


def _period_of(text: str) -> int:
    """Return the number of characters after which the text repeats; its length, if it does not."""
    return next((n for n in range(1, len(text) // 2 + 1) if text[n:] == text[:-n]), len(text))


def _surprises(text: str, lag: int) -> int:
    """Return how many characters do not follow from the one `lag` before them."""
    followed = sum(
        before == after or (before, after) in _NEIGHBOURS for before, after in zip(text, text[lag:], strict=False)
    )
    return len(text) - followed


def _words_of(user: Any) -> set[str]:
    texts = (getattr(user, name, "") or "" for name in ("first_name", "last_name", "email"))
    return {word for text in texts for word in _words_in(text)}


def _words_in(text: str) -> set[str]:
    """Return the words of three letters or more, and all of them together: alder, bank, alderbank."""
    words = re.findall(r"[^\W\d_]+", normalised(text).casefold())
    return {word for word in (*words, "".join(words)) if len(word) > 2}

"""Which passwords the bank accepts (R1.2; NIST SP 800-63B-4, 3.1.1.2)."""

import unicodedata
from types import SimpleNamespace
from typing import Any

from django.core.exceptions import ValidationError

from accounts.forms import NewPasswordForm, PasswordChangeForm, RegistrationForm, SignInForm
from accounts.models import User
from accounts.sign_in.passwords import rules as password_rules
from accounts.sign_in.passwords.hashing import MAX_PASSWORD_CHARS, length_of_password, normalised
from accounts.sign_in.passwords.rules import check_new_password
from tests.acts import NEWCOMER
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

ALICE = User(first_name="Alice", last_name="O'Brien-Archer", email="alice.archer@example.com")


def codes_of(password: str, person: Any = ALICE) -> set[str]:
    try:
        check_new_password(password, person)
    except ValidationError as error:
        return {str(one.code) for one in error.error_list}
    return set()


@proves("V6.2.5")
@in_one_world(
    "password",
    [
        PASSWORD,
        "correcthorsebatterystaple",
        "four blue lamps",
        "   three spaces   ",
        "kfwmrhqpzxvt",  # no digit, no capital, no sign: none is required
        "739164820573",
        "ein Käse für Jürgen",
        "пять синих ламп",
        "五つの青いランプがある夜に",
        "🦊🐌🌵🚲🎻🧀🪁🦉🍋🧭🪴🎈",
        "a" * 5 + " very long sentence about nothing " * 6,
        "x1Y" + "fox jumps over the lazy dog " * 9,
        "the river bank at noon",  # a word of the bank's name among others
        "Alice sees a heron fly",
        "summer rain on tin roofs",
    ],
)
def test_long_passwords_of_any_kind_are_taken(password: str) -> None:
    assert len(password) <= MAX_PASSWORD_CHARS
    assert codes_of(password) == set()


@proves("V6.2.1", "V6.2.9")
def test_sixty_four_characters_and_more_are_taken_and_too_many_are_refused_not_cut() -> None:
    text = "".join(chr(ord("a") + (n * n * 7 + n * 3) % 26) for n in range(MAX_PASSWORD_CHARS + 1))
    for length in (64, 65, 128, MAX_PASSWORD_CHARS):
        assert codes_of(text[:length]) == set()
    assert codes_of(text) == {"password_too_long"}


@proves("V6.2.4", "V6.2.11")
@in_one_world(
    ("password", "code"),
    [
        *((text, "password_too_short") for text in ("", "short", "kfwmrhqpzxv", "e\u0301" * 6, "ﷺ", "🦊" * 11)),
        *(
            (text, "password_too_common")
            for text in ("password1234", "PASSWORD1234", "12dragonfly34", "!!football!!12")
        ),
        *(
            (text, "password_too_common")
            for text in ("dragonsunshine", "Iloveyou-Princess", "liverpoolchelsea2026", "michael jordan23")
        ),
        *((text, "password_pattern") for text in ("aaaaaaaaaaaa", "123456789012", "abcabcabcabc", "210987654321")),
        *((text, "password_pattern") for text in ("qwertyuiopas", "QWERTYUIOPAS", "qwertzuiopas", "asdfghjklzxcvbnm")),
        *((text, "password_pattern") for text in ("aaaabbbbcccc", "112233445566", "abcdefghijkl", "zyxwvutsrqpo")),
        *((text, "password_pattern") for text in ("1qaz2wsx3edc", "1q2w3e4r5t6y", "zaq12wsxcde3", "!@#$%^&*()!@")),
        *(
            (text, "password_pattern")
            for text in ("monkeymonkey", "йцукенгшщзхъ", "            ", "ａａａａａａａａａａａａ")
        ),
        *((text, "password_expected_words") for text in ("AlderBank2026", "alder-bank-alder", "Welcome2Bank!!")),
        *((text, "password_expected_words") for text in ("Alice2026Archer", "archer.alice.99", "O'Brien 12345678")),
        *(
            (text, "password_expected_words")
            for text in ("Summer2026!!!", "Passwort!!2026", "пароль2026!!!!", "Ｂａｎｋｉｎｇ２０２６！！")
        ),
        ("alice.archer@example.com", "password_too_similar"),
        ("ａｌｉｃｅ．ａｒｃｈｅｒ＠ｅｘａｍｐｌｅ．ｃｏｍ", "password_too_similar"),
        ("half a \ud800 character", "password_too_long"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str, code: str) -> None:
    assert code in codes_of(password)


@proves("V6.2.4")
def test_few_random_passwords_are_refused() -> None:
    """A rule that refused many would make guessing easier; the shortest ones, only of digits, are affected most."""
    state, refused = 7, 0
    for _ in range(2000):
        digits = ""
        for _ in range(12):
            state = state * 6364136223846793005 % 2**64 + 1442695040888963407
            digits += str((state >> 33) % 10)
        refused += bool(codes_of(digits))
    assert refused < 2000 * 0.05


def test_the_bank_may_ask_for_more_characters(settings: Any) -> None:
    settings.PASSWORD_MIN_CHARS = 20
    assert codes_of("four blue lamps") == {"password_too_short"}
    assert codes_of("four blue lamps and a fifth one") == set()


def test_a_composed_character_is_one_character_however_it_is_written() -> None:
    assert [length_of_password(text) for text in ("é", "e\u0301", "ﷺ", "Ａ", "🦊")] == [1] * 5
    assert normalised("Ame\u0301lie") == normalised("Amélie") == unicodedata.normalize("NFC", "Ame\u0301lie")


def test_a_person_without_names_and_nobody_at_all_are_fine() -> None:
    for person in (None, User(email="x@example.com"), SimpleNamespace()):
        assert codes_of(PASSWORD, person) == set()


def test_what_is_too_long_is_refused_before_any_rule_that_looks_at_each_character(monkeypatch: Any) -> None:
    def fail(*args: Any) -> None:
        raise AssertionError("work that grows with the length")

    monkeypatch.setattr(password_rules, "normalised", fail)
    monkeypatch.setattr(password_rules, "length_of_password", fail)
    assert codes_of("ﷺ" * 1_000_000) == {"password_too_long"}


@proves("V6.2.7")
def test_forms_say_what_is_asked_for_and_let_a_manager_fill_them() -> None:
    registration, change = RegistrationForm(), PasswordChangeForm(user=ALICE)
    for form, name in ((registration, "password1"), (NewPasswordForm(user=ALICE), "new_password1")):
        text = form.fields[name].help_text
        assert "At least 12 characters, up to 256" in text
        assert "pasting from a password manager" in text
    fields = {name: field.widget.attrs for form in (registration, change) for name, field in form.fields.items()}
    assert {fields[name]["autocomplete"] for name in ("password1", "password2", "new_password1")} == {"new-password"}
    assert fields["old_password"]["autocomplete"] == "current-password"
    assert SignInForm().fields["password"].widget.attrs["autocomplete"] == "current-password"
    assert not any("onpaste" in attrs or "readonly" in attrs for attrs in fields.values())


@proves("V6.2.5")
def test_no_form_cuts_or_strips_a_password() -> None:
    form = RegistrationForm(NEWCOMER | {"password1": f"  {PASSWORD}  ", "password2": f"  {PASSWORD}  "})
    assert form.is_valid()
    assert form.cleaned_data["password1"] == f"  {PASSWORD}  "
    form = RegistrationForm(NEWCOMER | {"password1": "x" * 257, "password2": "x" * 257})
    assert "at most 256 characters" in str(form.errors["password1"])

"""The firewall's rules know every field of the bank's forms that holds a secret or a free text (docs/firewall.md)."""

import re
from pathlib import Path

from django import forms
from django.conf import settings

from accounts.forms import AccountNumberField, CodeField
from bankproject.api import api
from foundation.form_fields import AmountField
from tests.access_walk import form_fields

# From this length on people write sentences; shorter texts are a number or a code.
FREE_TEXT_CHARS = 40
# These have a length for what is copied along: a sentence is refused, and the rules may look.
JUDGED = (AmountField, AccountNumberField, CodeField)
# Every rule looks at names of people: none refuses O'Brien.
NAMES = {"first_name", "last_name"}


def pattern_in(rules: str, before: str) -> re.Pattern[str]:
    """Return the pattern of field names in the rule that begins in this way."""
    found = re.search(re.escape(before) + r" \"!ARGS:'/(.+)/'\"", rules)
    assert found, before
    return re.compile(found[1])


def rules_of(repository: Path) -> str:
    return (repository / "deploy/firewall/rules/after.conf").read_text(encoding="utf-8")


def is_secret(field: forms.Field) -> bool:
    widget = field.widget
    return isinstance(widget, forms.PasswordInput) or widget.attrs.get("autocomplete") == "one-time-code"


def is_free_text(field: forms.Field) -> bool:
    if isinstance(field, (forms.EmailField, *JUDGED)) or is_secret(field):
        return False
    is_long = isinstance(field, forms.CharField) and (field.max_length or 0) >= FREE_TEXT_CHARS
    return is_long or isinstance(field.widget, forms.Textarea)


def fields_with_a_secret() -> set[str]:
    names = {name for name, fields in form_fields().items() if any(map(is_secret, fields))}
    assert {"password", "code", "pin"} <= names
    # One is put into its form by the page; the other is typed by a clerk, whose browser must not fill it in.
    return {*names, "admin_key", "customer_code"}


def test_the_setting_names_every_field_with_a_secret() -> None:
    assert fields_with_a_secret() == set(settings.SECRET_FIELDS)


def names_of_programs() -> set[str]:
    """Return every name in a body that the API takes, by its own document."""
    parts = api.get_openapi_schema()["components"]["schemas"]
    return {name for part in parts.values() for name in part.get("properties", {})}


# What a secret of a program is called, or ends with. None of the other names means one.
SOUNDS_SECRET = re.compile(r"(?:^|_)(?:password|pin|code|token|key|secret)$")
NO_SECRETS = {
    "code",  # of a problem, in answers; and a secret in bodies
    "idempotency_key",
    "has_pin",
    "secret",  # only in answers
    "access_token",
}


def excluded(repository: Path) -> set[str]:
    """Return the names that no rule of the rule set looks at."""
    pattern = pattern_in(rules_of(repository), 'SecRuleUpdateTargetByTag "OWASP_CRS"').pattern
    whole = re.fullmatch(r"\(\?-i:\^\(\?:json\\\.\)\?\(\?:([a-z0-9_|]+)\)\$\)", pattern)
    assert whole, "whole names, so that no rule passes over what only sounds like a secret"
    return set(whole[1].split("|"))


def test_no_rule_looks_at_a_field_with_a_secret(repository: Path) -> None:
    of_programs = {name for name in names_of_programs() if SOUNDS_SECRET.search(name)} - NO_SECRETS
    assert {"refresh_token", "new_password", "pin"} <= of_programs
    assert fields_with_a_secret() | of_programs | {"csrfmiddlewaretoken"} == excluded(repository)


def test_each_name_that_the_rules_pass_over_is_a_field(repository: Path) -> None:
    """A name that no form and no program sends would be a place for attacks alone."""
    known = form_fields().keys() | names_of_programs() | {"csrfmiddlewaretoken", *settings.SECRET_FIELDS}
    assert excluded(repository) - known == set()


def test_the_cookies_that_the_rules_pass_over_are_the_banks(repository: Path) -> None:
    """With HTTPS and without."""
    rules = rules_of(repository)
    [pattern] = re.findall(r'"!REQUEST_COOKIES:\'/(.+)/\'"', rules)
    names = re.findall(r'_COOKIE_NAME = "([\w-]+)" if .+ else "([\w-]+)"', Path("bankproject/settings.py").read_text())
    both = {name for pair in names for name in pair}
    assert len(both) == 6
    assert {name for name in both if not re.search(pattern, name)} == set()
    assert not [name for name in both for other in (f"x{name}", f"{name}x") if re.search(pattern, other)]


def test_every_free_text_is_named_in_each_rule_that_takes_words_for_attacks(repository: Path) -> None:
    rules = rules_of(repository)
    names = {name for name, fields in form_fields().items() if any(map(is_free_text, fields))} - NAMES
    assert {"description", "text", "reason"} <= names
    beginnings = ['SecRuleUpdateTargetByTag "attack-rce"']
    beginnings += [f"SecRuleUpdateTargetById {number}" for number in (942100, 942320, 942350, 933210)]
    for beginning in beginnings:
        texts = pattern_in(rules, beginning)
        assert {name for name in names if not texts.search(name)} == set(), beginning
        assert all(texts.search(f"json.{name}") for name in names), beginning


def test_the_document_names_the_free_texts_that_the_rules_leave_alone(repository: Path) -> None:
    beginning = 'SecRuleUpdateTargetByTag "attack-rce"'
    [names] = re.findall(r"\(\?:([a-z|]+)\)\$", pattern_in(rules_of(repository), beginning).pattern)
    document = (repository / "docs/firewall.md").read_text(encoding="utf-8")
    [row] = [line for line in document.splitlines() if "tag `attack-rce`" in line]
    assert set(re.findall(r"`([a-z]+)`", row)) == set(names.split("|"))

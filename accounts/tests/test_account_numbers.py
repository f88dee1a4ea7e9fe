"""Account numbers: random, with check digits, refused when mistyped before any look-up (R2.2)."""

from typing import Any

import pytest
from django import forms
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts import account_numbers, bank_accounts
from accounts.account_numbers import InvalidAccountNumber, check_digits, grouped, masked, new_number, parse_number
from accounts.forms import AccountNumberField
from accounts.models import AccountKind, BankAccount
from foundation.keys.encryption import lookup_digest
from tests.asvs import proves
from tests.tables import in_one_world

numbers = st.integers(min_value=1_000_000_000, max_value=9_999_999_999).map(lambda n: f"{n}{check_digits(str(n))}")


def test_the_check_digits_are_those_of_the_standard() -> None:
    # R2.2: ISO 7064 MOD 97-10; 3214282912345698765432161182 is the worked example of ISO 13616's number.
    assert check_digits("32142829123456987654321611") == "82"


@given(number=numbers)
def test_a_number_with_its_check_digits_is_accepted(number: str) -> None:
    # R2.2
    assert parse_number(number) == number
    assert parse_number(f" {grouped(number)} ") == number
    assert parse_number("-".join(number)) == number


@given(number=numbers, position=st.integers(0, 11), digit=st.integers(0, 9))
def test_every_single_mistyped_digit_is_caught(number: str, position: int, digit: int) -> None:
    # R2.2
    wrong = number[:position] + str(digit) + number[position + 1 :]
    assume(wrong != number)
    with pytest.raises(InvalidAccountNumber):
        parse_number(wrong)


@given(number=numbers, position=st.integers(0, 10))
def test_every_swap_of_neighbours_is_caught(number: str, position: int) -> None:
    # R2.2
    swapped = number[:position] + number[position + 1] + number[position] + number[position + 2 :]
    assume(swapped != number)
    with pytest.raises(InvalidAccountNumber):
        parse_number(swapped)


VALID = "1234567890" + check_digits("1234567890")


@in_one_world(
    "value",
    [
        int(VALID),
        float(VALID),
        None,
        True,
        [VALID],
        {"number": VALID},
        VALID.encode(),
        "",
        " ",
        VALID[:-1],
        VALID + "0",
    ],
)
def test_another_json_type_or_length_is_refused(value: Any) -> None:
    # R2.2: 1 and "1" would be two accounts to a naive comparison.
    with pytest.raises(InvalidAccountNumber):
        parse_number(value)


@in_one_world(
    "text",
    [
        VALID.translate({ord(str(n)): 0xFF10 + n for n in range(10)}),
        VALID.translate({ord(str(n)): 0x0660 + n for n in range(10)}),
        VALID.replace("1", "l"),
        f"{VALID}\n",
        f"+{VALID[1:]}",
        f"{VALID[:4]}\t{VALID[4:]}",
        f"{VALID[:4]}.{VALID[4:]}",
        f"{VALID}; --",
    ],
)
def test_other_digits_and_marks_are_refused(text: str) -> None:
    # R2.2
    with pytest.raises(InvalidAccountNumber):
        parse_number(text)


def test_new_numbers_are_valid_different_and_begin_with_no_zero() -> None:
    # R2.2
    made = {new_number() for _ in range(500)}
    assert len(made) == 500
    assert all(parse_number(number) == number and number[0] != "0" for number in made)


def test_numbers_are_shown_in_groups_or_masked() -> None:
    # R2.2
    assert grouped("123456789012") == "1234 5678 9012"
    assert masked("123456789012") == "•••• 9012"


@proves("V14.2.6")
def test_an_account_shows_its_number_masked_in_lists_and_the_banks_own_have_none(alice: Any, open_account: Any) -> None:
    # R2.2
    account = open_account(alice)
    assert str(account) == account.masked_number == f"•••• {account.number[-4:]}"
    assert account.number_grouped.replace(" ", "") == account.number
    cash = BankAccount.objects.filter(kind=AccountKind.CASH).first()
    assert cash is not None
    assert (str(cash), cash.masked_number, cash.number_grouped) == (cash.ledger_code, "", "")


def test_an_account_is_found_by_its_number_however_it_is_written(
    alice: Any, open_account: Any, django_assert_num_queries: Any
) -> None:
    # R2.2
    account = open_account(alice)
    for text in (account.number, account.number_grouped, f" {'-'.join(account.number)} "):
        assert bank_accounts.find_by_number(text) == account
    other = next(number for number in iter(new_number, "") if number != account.number)
    assert bank_accounts.find_by_number(other) is None
    with django_assert_num_queries(0), pytest.raises(InvalidAccountNumber):
        bank_accounts.find_by_number(account.number[:-1] + "x")


def test_a_number_that_is_taken_is_not_given_out_again(
    alice: Any, open_account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R2.2: the random source is the fault here.
    taken = open_account(alice).number
    drawn = iter([taken, taken, VALID])
    monkeypatch.setattr(account_numbers, "new_number", lambda: next(drawn))
    assert open_account(alice).number == VALID
    monkeypatch.setattr(account_numbers, "new_number", lambda: taken)
    with pytest.raises(RuntimeError, match="random source"):
        open_account(alice)


def test_the_database_keeps_numbers_unique(alice: Any, bob: Any, open_account: Any) -> None:
    # R2.2
    account = open_account(alice)
    twin = BankAccount(
        owner=bob, kind=AccountKind.CHECKING, number=account.number, number_digest=lookup_digest(account.number)
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()


def test_closing_marks_the_row_only(alice: Any, open_account: Any) -> None:
    # R2.3: the row itself knows no rule; `transfers` decides.
    account, now = open_account(alice), timezone.now()
    bank_accounts.close(account, at=now)
    account.refresh_from_db()
    assert (account.status, account.closed_at, account.is_active) == ("closed", now, False)


class NumberForm(forms.Form):
    number = AccountNumberField()
    other = AccountNumberField(required=False)


def test_the_form_field_accepts_spaces_and_says_what_is_wrong() -> None:
    # R2.2, R10.2
    form = NumberForm({"number": f" {grouped(VALID)} ", "other": ""})
    assert form.is_valid()
    assert form.cleaned_data == {"number": VALID, "other": ""}
    wrong = VALID[:-1] + str((int(VALID[-1]) + 1) % 10)
    form = NumberForm({"number": wrong})
    assert not form.is_valid()
    [error] = form.errors["number"].as_data()
    assert error.code == "invalid_account_number"
    assert f'value="{wrong}"' in str(form["number"])

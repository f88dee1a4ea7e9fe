"""Single columns are encrypted, bound to their row and column, and fail closed (R8.1)."""

import base64
import secrets
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import connection, transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.bank_accounts import find_by_number
from accounts.models import BankAccount, User
from foundation.keys.encryption import (
    DecryptionFailed,
    EncryptedField,
    Sealed,
    lookup_digest,
    lookup_digests,
    open_sealed,
    seal,
)
from tests.asvs import proves
from tests.tables import in_one_world


def column(table: str, name: str, pk: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM {table} WHERE id = %s", [pk])
        return cursor.fetchone()[0]


def set_column(table: str, name: str, pk: int, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {name} = %s WHERE id = %s", [value, pk])


# What UTF-8 can write. Named explicitly, since Hypothesis takes a second to find out from the codec.
ANY = st.characters(exclude_categories=["Cs"])


@hypothesis_settings(max_examples=50)
@given(text=st.text(ANY, max_size=60), context=st.text(ANY, max_size=20))
def test_what_is_sealed_opens_with_the_same_context_only(text: str, context: str) -> None:
    # R8.1
    context = context.encode(errors="ignore").decode()
    sealed = seal(text, context)
    assert open_sealed(sealed, context) == text
    assert seal(text, context) != sealed, "two equal values must not look equal"
    with pytest.raises(DecryptionFailed):
        open_sealed(sealed, context + "x")


@proves("V11.2.5")
def test_any_altered_byte_makes_opening_fail() -> None:
    # R8.1
    kid, _, payload = seal("secret", "c").partition(".")
    raw = base64.urlsafe_b64decode(payload)
    for position in range(len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 1
        with pytest.raises(DecryptionFailed):
            open_sealed(f"{kid}.{base64.urlsafe_b64encode(bytes(altered)).decode()}", "c")


@in_one_world("stored", ["", ".", "plain text", "k1.", "k1.AAAA", "k1.!!!", "k1.é", "k9.AAAA", "k1"])
def test_what_was_never_sealed_does_not_open(stored: str) -> None:
    # R8.1: never shown undecrypted, never guessed.
    with pytest.raises(DecryptionFailed):
        open_sealed(stored, "c")


@proves("V11.2.5")
def test_the_failure_names_the_place_and_not_the_value() -> None:
    # R9.5
    with pytest.raises(DecryptionFailed) as failure:
        open_sealed("k1.c2VjcmV0", "accounts.user.phone:1")
    assert "accounts.user.phone:1" in str(failure.value)
    assert "c2VjcmV0" not in str(failure.value)


def test_a_new_key_seals_and_the_old_still_opens(alice: Any, settings: Any) -> None:
    # R8.1: key ring with rotation.
    old = settings.FIELD_KEYS
    settings.FIELD_KEYS = {"k2": secrets.token_bytes(32)} | old
    again = User.objects.get(pk=alice.pk)
    assert again.phone == "+49 30 5550101"
    again.save()
    assert column("accounts_user", "phone", alice.pk).startswith("k2.")
    settings.FIELD_KEYS = old
    with pytest.raises(DecryptionFailed):
        _ = User.objects.get(pk=alice.pk).phone


def test_a_row_is_sealed_again_only_if_it_was_opened(alice: Any) -> None:
    # R8.1: saving one column must not need the keys of all others.
    before = column("accounts_user", "phone", alice.pk)
    row = User.objects.get(pk=alice.pk)
    row.save()
    assert column("accounts_user", "phone", alice.pk) == before
    _ = row.phone
    row.save()
    assert column("accounts_user", "phone", alice.pk) != before
    assert User.objects.get(pk=alice.pk).phone == "+49 30 5550101"


def test_numbers_are_found_under_old_and_new_look_up_keys(alice: Any, open_account: Any, settings: Any) -> None:
    # R8.1: rotation covers the look-up digest too.
    account = open_account(alice)
    old = settings.LOOKUP_KEYS
    settings.LOOKUP_KEYS = {"k2": secrets.token_bytes(32)} | old
    assert find_by_number(account.number) == account
    assert lookup_digest(account.number) == lookup_digests(account.number)[0] != account.number_digest
    assert account.number_digest in lookup_digests(account.number)


@proves("V11.3.3")
def test_a_ciphertext_moved_to_another_row_does_not_open(alice: Any, bob: Any, open_account: Any) -> None:
    # R8.1, issue shows 7: swapping two rows' numbers must not make one customer see or pay the other.
    one, other = open_account(alice), open_account(bob)
    table = "accounts_bankaccount"
    first, second = column(table, "number", one.pk), column(table, "number", other.pk)
    set_column(table, "number", one.pk, second)
    set_column(table, "number", other.pk, first)
    for account in (one, other):
        with pytest.raises(DecryptionFailed):
            _ = BankAccount.objects.get(pk=account.pk).number
        assert str(BankAccount.objects.get(pk=account.pk)) == "unreadable", "lists go on working"


def test_a_ciphertext_moved_to_another_column_does_not_open(alice: Any) -> None:
    # R8.1
    set_column("accounts_user", "address", alice.pk, column("accounts_user", "phone", alice.pk))
    row = User.objects.get(pk=alice.pk)
    assert row.phone == "+49 30 5550101"
    with pytest.raises(DecryptionFailed):
        _ = row.address


@proves("V11.3.3", "V11.4.1")
def test_swapped_look_up_digests_do_not_redirect_a_payment(alice: Any, bob: Any, open_account: Any) -> None:
    # R8.1: after a look-up the decrypted number is compared.
    one, other = open_account(alice), open_account(bob)
    table = "accounts_bankaccount"
    set_column(table, "number_digest", one.pk, "parked")
    set_column(table, "number_digest", other.pk, one.number_digest)
    set_column(table, "number_digest", one.pk, other.number_digest)
    for account in (one, other):
        with pytest.raises(DecryptionFailed):
            find_by_number(account.number)


def test_values_do_not_leak_and_are_not_mistaken_for_text(alice: Any) -> None:
    # R8.1
    value: Any = User.objects.filter(pk=alice.pk).values_list("phone", flat=True).get()
    assert isinstance(value, Sealed)
    assert repr(value) == "<sealed>"
    assert value != alice.phone
    with pytest.raises(TypeError, match="read past its model"):
        str(value)
    with pytest.raises(TypeError):
        f"{value}"


@in_one_world("lookup", ["phone", "phone__exact", "phone__startswith", "phone__in", "phone__contains"])
def test_an_encrypted_column_cannot_be_looked_up(alice: Any, lookup: str) -> None:
    # R8.1: it would find nothing, silently.
    value: Any = ["x"] if lookup.endswith("in") and "contain" not in lookup else "x"
    with pytest.raises(FieldError, match="encrypted"):
        User.objects.filter(**{lookup: value}).exists()
    with pytest.raises(FieldError, match="encrypted"):
        User.objects.exclude(**{lookup: value}).exists()


def test_whether_there_is_a_value_can_be_asked(alice: Any, open_account: Any) -> None:
    # R8.1
    account = open_account(alice)
    assert BankAccount.objects.filter(owner=alice, number__isnull=False).get() == account
    cash = BankAccount.objects.filter(number__isnull=True).first()
    assert cash is not None
    assert cash.number is None


def test_update_and_bulk_update_are_refused(alice: Any) -> None:
    # R8.1: they know no row to bind the ciphertext to.
    with pytest.raises(TypeError, match="encrypted"), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(phone="+49 30 1")
    alice.phone = "+49 30 1"
    with pytest.raises(TypeError, match="encrypted"), transaction.atomic():
        User.objects.bulk_update([alice], ["phone"])
    assert User.objects.get(pk=alice.pk).phone == "+49 30 5550101"


def test_a_deferred_value_opens_when_it_is_read(alice: Any, django_assert_num_queries: Any) -> None:
    # R8.1
    row = User.objects.defer("phone").get(pk=alice.pk)
    assert row.phone == "+49 30 5550101"
    with django_assert_num_queries(0):
        assert row.phone == "+49 30 5550101"
    assert isinstance(User.__dict__["phone"], type(User.phone))


def test_validating_a_row_leaves_its_values_as_they_are(alice: Any) -> None:
    # R8.1
    row = User.objects.get(pk=alice.pk)
    row.full_clean()
    assert row.phone == "+49 30 5550101"


def test_a_value_that_is_too_long_is_refused_before_the_column_cuts_it(alice: Any) -> None:
    # R8.1: SQL Server would raise a text of its own, SQLite would take it.
    alice.phone = "9" * 33
    with pytest.raises(ValueError, match="32 characters at most"):
        alice.save()


def test_the_column_holds_the_longest_value_in_any_script() -> None:
    # R8.1: UTF-8 takes up to four bytes a character.
    field = User._meta.get_field("address")
    assert isinstance(field, EncryptedField)
    longest_key_id = "k2345678"
    payload = seal("🏦" * field.max_chars, "c").partition(".")[2]
    assert len(f"{longest_key_id}.{payload}") <= (field.max_length or 0)


def test_a_migration_writes_the_field_with_its_characters() -> None:
    # R8.1
    _, path, args, kwargs = EncryptedField(max_chars=32).deconstruct()
    assert (path, args, kwargs) == ("foundation.keys.encryption.EncryptedField", [], {"max_chars": 32})
    clone = EncryptedField(max_chars=32).clone()
    assert clone.max_length == EncryptedField(max_chars=32).max_length

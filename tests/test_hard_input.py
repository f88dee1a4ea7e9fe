"""Input that breaks programs in ways that are easily forgotten while writing a form. None of it may be a 500."""

import unicodedata
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.forms import PersonNameField, RegistrationForm
from accounts.models import BankAccount, Registration
from foundation.form_fields import LineField
from tests.acts import mails
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world
from transfers.models import TransferOrder

FORM = {
    "first_name": "Nora",
    "last_name": "Nilsson",
    "email": "nora@example.com",
    "phone": "+49 30 5550199",
    "address": "Lindenallee 4",
    "password1": "plum tree in the rain",
    "password2": "plum tree in the rain",
}
# Composes to three characters each: shorter typed than stored.
GROWS = "\ufb2c"


@pytest.mark.django_db
@in_one_world("taken", [True, False])
def test_the_longest_name_in_any_script_is_answered_like_any_other(client: Client, alice: Any, taken: bool) -> None:
    # R1.1: an answer that differs (a 500, once) would tell whether the address is taken.
    email = alice.email if taken else f"{'n' * 60}@{'long-domain.' * 15}example.com"
    answer = client.post("/register/", FORM | {"first_name": "あ" * 100, "last_name": "漢" * 100, "email": email})
    assert (answer.status_code, answer["Location"]) == (302, "/register/sent/")
    assert [mail.to for mail in mails()] == [[email]]


@in_one_world("email", ["İstanbul@example.com", "ſam@example.com", "\u212aate@example.com", "nora@exämple.com"])
def test_addresses_that_only_look_ascii_are_refused_at_the_field(email: str) -> None:
    # R1.1: mail would not arrive, and ſam and sam would share one counter of guesses.
    assert "email" in RegistrationForm(FORM | {"email": email}).errors


@in_one_world("name", ["\u200b", "\u200d\u200c", "---", "123"])
def test_a_name_has_a_letter(name: str) -> None:
    # R1.1: a payee with an invisible name could be anybody.
    assert "first_name" in RegistrationForm(FORM | {"first_name": name}).errors


def test_a_line_is_measured_as_it_will_be_stored() -> None:
    field = LineField(max_length=10)
    assert len(unicodedata.normalize("NFC", GROWS)) == 3
    assert field.clean(GROWS * 3) == unicodedata.normalize("NFC", GROWS * 3)
    with pytest.raises(ValidationError, match=r"At most 10 characters; this has 12\."):
        field.clean(GROWS * 4)
    assert PersonNameField(max_length=3).clean("  Zoe\u0308 ") == "Zoë"


def test_a_description_that_grows_by_composing_is_refused_at_the_field(
    alice: Any, browser_of: Any, open_account: Any
) -> None:
    # R3.2
    account = open_account(alice)
    answer = browser_of(alice).post(
        f"/accounts/{account.public_id}/deposit/", {"amount": "5", "description": GROWS * 60}
    )
    assert answer.status_code == 200
    assert "description" in answer.context["form"].errors
    assert not TransferOrder.objects.exists()


def test_a_nickname_that_grows_by_composing_is_refused_at_the_field(alice: Any, browser_of: Any) -> None:
    # R2.1
    client = browser_of(alice)
    key = client.get("/accounts/open/").context["form"]["key"].value()
    answer = client.post("/accounts/open/", {"key": key, "kind": "checking", "nickname": GROWS * 40})
    assert "nickname" in answer.context["form"].errors
    assert not BankAccount.objects.filter(owner=alice).exists()


@pytest.mark.django_db
@in_one_world("charset", ["zlib", "rot13", "hex", "idna", "undefined", "utf-7", "utf-16"])
@in_one_world("path", ["/sign-in/", "/register/"])
def test_a_body_in_a_strange_encoding_is_415(client: Client, path: str, charset: str) -> None:
    # R7.3, R8.2: Python knows encodings that no form ever had.
    body = b"email=a%40example.com&password=+2AA-"
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    assert client.generic("POST", path, body, content_type=kind).status_code == 415
    assert not Registration.objects.exists()


@pytest.mark.django_db
@in_one_world("charset", ["utf-8", "UTF-8", "utf8", "UTF8"])
def test_utf8_is_understood(client: Client, charset: str) -> None:
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    assert client.post("/sign-in/", b"email=&password=", content_type=kind).status_code == 200


@proves("V3.7.2")
@in_one_world("url", ["foo", "dashboard", "admin:index", "foo?x=1", "javascript:alert(1)", "%2F"])
def test_next_is_a_path_or_nothing(alice: Any, client: Client, code_of: Any, url: str) -> None:
    # R1.2: `redirect("foo")` looks for a page by that name and fails after the right code.
    client.post("/sign-in/", {"email": alice.email, "password": PASSWORD, "next": url})
    answer = client.post("/sign-in/code/", {"code": code_of(alice)})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_line_is_measured_as_sql_server_counts() -> None:
    # An emoji takes two places of an nvarchar column; a description too long for it would be a 500 there.
    field = LineField(max_length=10)
    assert field.clean("🌳" * 5) == "🌳" * 5
    with pytest.raises(ValidationError, match="At most"):
        field.clean("🌳" * 6)

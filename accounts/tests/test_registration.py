"""Becoming a customer: a form, a link in a mail, on to two-factor (R1.1)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as bank_settings
from django.test import Client

from accounts.models import Registration, User
from accounts.people import registration
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.acts import NEWCOMER, hashing, is_signed_in, link_for, mails, register
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def visible(answer: Any, email: str) -> str:
    """Return what the visitor sees, without their own address and the form's token."""
    text = answer.content.decode().replace(email, "[address]")
    return "\n".join(line for line in text.splitlines() if "csrfmiddlewaretoken" not in line)


def test_a_visitor_becomes_a_customer_and_goes_on_to_two_factor(client: Client) -> None:
    # R1.1
    sent = register(client)
    assert (sent.status_code, sent["Location"]) == (302, "/register/sent/")
    assert "nora@example.com" in client.get("/register/sent/").content.decode()
    assert not User.objects.exists(), "nobody exists before the address is confirmed"
    link = link_for("nora@example.com")
    assert "nora@example.com" in client.get(link).content.decode()
    confirmed = client.post(link, {"password": PASSWORD})
    assert (confirmed.status_code, confirmed["Location"]) == (302, "/two-factor/enrol/")
    nora = User.objects.get()
    assert (nora.role, nora.get_full_name(), nora.get_short_name()) == (Role.CUSTOMER, "Nora Newton", "Nora")
    assert (nora.phone, nora.address) == (NEWCOMER["phone"], "Hafenstraße 9\n20359 Hamburg")
    assert not is_signed_in(client), "no banking page without the second factor"
    assert client.get("/two-factor/enrol/").status_code == 200
    assert not Registration.objects.exists()
    assert {"REGISTER_REQUESTED", "REGISTER_SUCCESS"} <= set(AuditEntry.objects.values_list("action", flat=True))


@proves("V6.3.8")
def test_a_taken_address_is_not_revealed(alice: Any) -> None:
    # R1.1: the same page, the same work for the hasher, the same number of mails.
    seen, work, rows = {}, {}, {}
    for email in ("nora@example.com", "alice@example.com"):
        browser, before = Client(), OutboxMessage.objects.count()
        with hashing() as runs:
            answer = register(browser, email=email)
        seen[email] = (answer.status_code, answer["Location"], visible(browser.get("/register/sent/"), email))
        work[email], rows[email] = list(runs), OutboxMessage.objects.count() - before
    assert seen["nora@example.com"] == seen["alice@example.com"]
    assert work == {"nora@example.com": ["encode"], "alice@example.com": ["encode"]}
    assert rows == {"nora@example.com": 1, "alice@example.com": 1}


def test_the_owner_of_a_taken_address_is_told_and_nothing_changes(alice: Any, client: Client) -> None:
    # R1.1
    register(client, email=" ALICE@Example.com ", first_name="Mallory")
    [mail] = mails("alice@example.com")
    assert mail.subject == "You already bank with us"
    assert "/register/confirm/" not in mail.message
    assert "Mallory" not in mail.message
    assert User.objects.get().first_name == "Alice"
    assert not Registration.objects.exists()


def test_somebody_signed_in_is_sent_home(alice: Any, browser_of: Any) -> None:
    # R1.1: logged-out visitors only.
    browser = browser_of(alice)
    assert browser.get("/register/")["Location"] == "/"
    assert register(browser)["Location"] == "/"
    assert not Registration.objects.exists()


@proves("V15.3.3")
@in_one_world("extra", [{"role": "Admin"}, {"groups": "4", "is_staff": "1", "is_superuser": "1"}])
def test_registering_makes_a_customer_whatever_is_sent_along(client: Client, extra: dict[str, str]) -> None:
    # R1.1: always a customer.
    register(client, **extra)
    client.post(link_for("nora@example.com"), {"password": PASSWORD})
    nora = User.objects.get()
    assert (nora.role, nora.is_superuser, nora.is_staff) == (Role.CUSTOMER, False, False)


@in_one_world(
    ("first_name", "last_name"),
    [
        ("Zoë", "O’Brien"),
        ("Anne-Marie", "d'Arc"),
        ("José", "Núñez y Álvarez"),
        ("Sukarno", ""),
        ("Øystein", "Ångström"),
        ("美咲", "山田"),
        ("علی\u200cرضا", "موسوی"),
        ("X", "Æ"),
        ("Robert'); DROP--", "Little"),
        ("{{ 7|add:7 }}", "<b>Bold</b>"),
    ],
)
def test_real_names_are_accepted_and_only_shown(client: Client, first_name: str, last_name: str) -> None:
    # R1.1, R8.3
    assert register(client, first_name=first_name, last_name=last_name).status_code == 302
    [mail] = mails("nora@example.com")
    # A stranger could type a message into the name, for the bank to deliver to any address.
    assert first_name not in mail.message.replace("Alder Bank", "") or first_name == "X"
    assert "<b>Bold" not in mail.html_message
    client.post(link_for("nora@example.com"), {"password": PASSWORD})
    nora = User.objects.get()
    assert (nora.first_name, nora.last_name) == (first_name, last_name)
    assert nora.get_full_name() == f"{first_name} {last_name}".strip()


def test_names_are_kept_in_one_form(client: Client) -> None:
    # R1.1: Zoë typed as e and a combining mark is the same Zoë.
    register(client, first_name="  Zoe\u0308  Ann ")
    assert Registration.objects.get().first_name == "Zoë Ann"


@proves("V2.2.1")
@in_one_world(
    ("field", "value", "message"),
    [
        ("first_name", "", "Enter your first name"),
        ("first_name", "0", "at least one letter"),
        ("first_name", "a\u202egnp.exe", "characters that cannot be shown"),
        ("first_name", "a\x07b", "characters that cannot be shown"),
        ("first_name", "x" * 101, "At most 100 characters"),
        ("first_name", "\u200b\u200d", "characters that cannot be shown|at least one letter"),
        ("first_name", "...", "at least one letter"),
        ("last_name", "-", "at least one letter"),
        ("email", "no\u017fa@example.com", "without accents|valid email"),
        ("last_name", "x\u2066y", "characters that cannot be shown"),
        ("email", "not an address", "valid email address"),
        ("email", "nora@example.com\nBcc: all@example.com", "valid email address"),
        ("email", f"{'x' * 250}@example.com", "at most 254 characters"),
        ("phone", "call me", "phone number in digits"),
        ("phone", "１２３４５６", "phone number in digits"),
        ("phone", "", "Enter your phone number"),
        ("phone", "+0 30 1234567", "phone number in digits"),
        ("phone", "+1 (((((", "phone number in digits"),
        ("phone", "00000000", "phone number in digits"),
        ("phone", "+49 30 1234 5678 9012", "phone number in digits"),
        ("address", "", "Enter your address"),
        ("address", "x\u202ey", "characters that cannot be shown"),
        ("address", "\u200b\u2060\ufeff", "letters or digits"),
        ("address", "…\n-", "letters or digits"),
        ("address", "x" * 301, "at most 300 characters"),
        ("password1", "short", "at least 12 characters"),
        ("password1", "password12345", "too common"),
        ("password1", "8273645192837", "follows a pattern"),
        ("password1", "nora@example.com", "too similar"),
        ("password1", "x" * 257, "at most 256 characters"),
        ("password2", "another one entirely", "not the same"),
        ("password2", "", "Enter a password"),
    ],
)
def test_bad_input_is_answered_at_the_field_and_the_rest_is_kept(
    client: Client, field: str, value: str, message: str
) -> None:
    # R1.1, R1.2, R10.2: a message at the field and in the summary, the typed text is kept, nothing is written.
    changes = {field: value} | ({"password2": value} if field == "password1" and len(value) < 256 else {})
    answer = register(client, **changes)
    assert answer.status_code == 200
    form = answer.context["form"]
    assert set(form.errors) == {field}
    page = answer.content.decode()
    assert re.search(message, " ".join(form.errors[field]))
    assert "data-error-summary" in page
    assert len(re.findall(message, page)) >= 2
    for name in ("first_name", "email", "phone"):
        if name != field:
            assert f'value="{NEWCOMER[name]}"' in page
    assert PASSWORD not in page, "a password is never written back"
    assert not Registration.objects.exists()
    assert not OutboxMessage.objects.exists()


@proves("V6.4.1")
def test_the_link_expires_after_a_day(client: Client) -> None:
    # R1.1
    with time_machine.travel(NOON, tick=False):
        register(client)
        link = link_for("nora@example.com")
    with time_machine.travel(NOON + timedelta(hours=24, seconds=-1), tick=False):
        assert client.get(link).status_code == 200
    with time_machine.travel(NOON + timedelta(hours=24, seconds=1), tick=False):
        assert client.get(link).status_code == 404
        answer = client.post(link, {"password": PASSWORD})
        assert (answer.status_code, "This link no longer works" in answer.content.decode()) == (404, True)
        # Expired registrations are forgotten with the next registration, by anybody.
        register(client, email="other@example.com")
        assert [row.email for row in Registration.objects.all()] == ["other@example.com"]
    assert not User.objects.exists()


def test_the_link_works_once(client: Client) -> None:
    # R1.1
    register(client)
    link = link_for("nora@example.com")
    assert client.post(link, {"password": PASSWORD}).status_code == 302
    again = Client().post(link, {"password": PASSWORD})
    assert again.status_code == 404
    assert User.objects.count() == 1


@proves("V3.5.3")
def test_following_the_link_changes_nothing(client: Client, django_assert_num_queries: Any) -> None:
    # R1.1: mail scanners follow links.
    register(client)
    link = link_for("nora@example.com")
    for _ in range(3):
        assert client.get(link).status_code == 200
    client.head(link)
    assert client.put(link).status_code == 405
    assert not User.objects.exists()
    assert Registration.objects.count() == 1


def test_the_password_chosen_at_registration_is_asked_and_guesses_are_counted(client: Client) -> None:
    # R1.1, R1.4: the owner of the address gets the mail, but perhaps did not fill in the form.
    register(client)
    link = link_for("nora@example.com")
    for _ in range(4):
        answer = client.post(link, {"password": "some other password"})
        assert (answer.status_code, "not the password you chose" in answer.content.decode()) == (200, True)
    with hashing() as runs:
        for _ in range(3):
            client.post(link, {"password": "some other password"})
        answer = client.post(link, {"password": PASSWORD})
    assert runs == ["verify"], "only the fifth guess was looked at"
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    assert not User.objects.exists()


@in_one_world("token", ["x", "A" * 43, "%00", "é", "a" * 500])
def test_an_unknown_link_says_only_that_it_does_not_work(client: Client, token: str) -> None:
    # R1.1
    answer = client.get(f"/register/confirm/{token}/")
    assert answer.status_code == 404
    assert "This link no longer works" in answer.content.decode()


@proves("V6.4.1")
def test_a_second_link_of_one_address_voids_the_first(client: Client) -> None:
    # R1.1, S9: the first one, perhaps another person's, is dead at once.
    register(client, first_name="First")
    first = link_for("nora@example.com")
    register(client, first_name="Second")
    second = link_for("nora@example.com")
    assert first != second
    assert Client().get(first).status_code == 404
    assert Client().post(first, {"password": PASSWORD}).status_code == 404
    assert Registration.objects.count() == 1
    assert client.post(second, {"password": PASSWORD}).status_code == 302
    assert Client().post(first, {"password": PASSWORD}).status_code == 404
    assert User.objects.get().first_name == "Second"


def test_an_address_that_was_taken_meanwhile_is_not_overwritten(client: Client, make_user: Any) -> None:
    # R1.1
    register(client)
    link = link_for("nora@example.com")
    make_user("Nora")
    assert client.post(link, {"password": PASSWORD}).status_code == 404
    assert User.objects.get().last_name == "Example"


def test_an_address_taken_between_look_and_write_is_an_invalid_link(
    client: Client, make_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R1.1: refused by the database itself, on engines that let both look first. The fault: the look finds nothing.
    register(client)
    token = link_for("nora@example.com").strip("/").rpartition("/")[2]
    make_user("Nora")
    monkeypatch.setattr(registration.User.objects, "filter", lambda **kwargs: User.objects.none())
    with pytest.raises(registration.LinkInvalid):
        registration.confirm(token=token, password=PASSWORD, ip=None)


def test_a_forged_host_does_not_change_the_link(client: Client) -> None:
    # R1.1, R1.9: the link is built from SITE_URL, never from the request.
    bad = client.post("/register/", NEWCOMER, headers={"Host": "evil.example"})
    assert bad.status_code == 400
    client.post("/register/", NEWCOMER, headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    [mail] = mails("nora@example.com")
    assert "evil.example" not in mail.message + mail.html_message
    assert f"{bank_settings.SITE_URL}/register/confirm/" in mail.message


def test_one_network_registers_so_many_an_hour(client: Client, settings: Any) -> None:
    # R1.1: a message, the typed text is kept, and no mail is sent to strangers by the hundred.
    settings.REGISTRATIONS_PER_HOUR = 2
    for number in range(2):
        assert register(client, email=f"n{number}@example.com").status_code == 302
    answer = register(client, email="n3@example.com")
    page = answer.content.decode()
    assert answer.status_code in (200, 429)
    assert "Too many people registered just now" in page
    assert 'value="n3@example.com"' in page
    assert OutboxMessage.objects.count() == 2
    other = Client(REMOTE_ADDR="198.51.100.77")
    assert register(other, email="n3@example.com").status_code == 302


def test_nobodys_mailbox_can_be_filled(alice: Any) -> None:
    # R1.1: beyond five an hour nothing more is sent, from any network; the page says the same as always.
    for email in ("nora@example.com", "alice@example.com"):
        for number in range(7):
            browser = Client(REMOTE_ADDR=f"198.51.100.{number}")
            with hashing() as runs:
                assert register(browser, email=email)["Location"] == "/register/sent/"
            assert runs == ["encode"]
            mails()  # written at once: of a link that a newer one has voided no mail is written any more
        assert len(mails(email)) == 5


def test_a_mail_that_comes_too_late_is_not_written(client: Client) -> None:
    # R1.1: another link has been followed meanwhile, or it has expired.
    register(client)
    Registration.objects.all().delete()
    assert mails() == []
    assert OutboxMessage.objects.get().expanded_at is not None


def test_loading_the_page_costs_no_place(client: Client, settings: Any) -> None:
    # A peer's fault: rate limits that count page loads.
    settings.REGISTRATIONS_PER_HOUR = 1
    for _ in range(5):
        client.get("/register/")
        register(client, email="nonsense")
    assert register(client).status_code == 302

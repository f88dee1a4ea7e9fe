"""The Django admin as the staff's area: its pages, and the one way in (R5.1, R5.4).

`tests/access` tests who may open which page, and that nobody changes anything there.
"""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from accounts.models import BankAccount, PendingAct, User
from accounts.roles import Role
from audit.models import AuditBlock, AuditEntry
from audit.sealing import seal
from bankproject.admin_site import BankAdminSite
from foundation.admin.read_only import ReadOnlyAdmin
from support import tickets
from support.models import RequestKind, ServiceRequest, Ticket
from support.requests import services as requests
from tests import acts
from tests.access.staff_area import permission_to_view, url
from tests.access.visitors import granted
from tests.asvs import proves
from tests.plugin import PASSWORD
from transfers.models import Entry, FraudAlert, Transaction, TransferOrder

pytestmark = pytest.mark.django_db

MODELS = (
    User, BankAccount, PendingAct, Transaction, Entry, TransferOrder, FraudAlert, Ticket, ServiceRequest, AuditEntry,
    AuditBlock,
)  # fmt: skip


@pytest.fixture
def rows(alice: Any, bob: Any, open_account: Any, make_user: Any) -> dict[type, Any]:
    """One row of each model."""
    account = open_account(alice, "20000.00")
    acts.transfer(
        actor=alice, source=account, target=open_account(bob), amount=Decimal(12_000), idempotency_key="the held one"
    )
    tickets.open_ticket(actor=alice, subject="My card", text="Where is it?", idempotency_key="the ticket")
    name = {"first_name": "Alicia", "last_name": "Archer", "address": alice.address}
    requests.file_request(actor=alice, kind=RequestKind.UPDATE_IDENTITY, payload=name, reason="I have married")
    PendingAct.objects.create(
        kind="change_role", subject_id=str(bob.public_id), person=bob, asked_by=make_user("Adam", Role.ADMIN),
        payload='{"role": "Support", "before": "Customer"}', reason="He works here now.",
    )  # fmt: skip
    seal()
    found: dict[type, Any] = {model: model._default_manager.order_by("pk").last() for model in MODELS}
    found[BankAccount] = BankAccount.objects.get(owner=alice)
    assert None not in found.values()
    return found


def test_the_one_admin_site_is_the_banks_with_all_its_pages() -> None:
    # R5.1: no second site, and nothing from a library.
    assert isinstance(admin.site._wrapped, BankAdminSite)  # type: ignore[attr-defined]
    assert set(admin.site._registry) == set(MODELS)
    assert all(isinstance(page, ReadOnlyAdmin) for page in admin.site._registry.values())


def test_each_list_is_searched_and_is_on_the_first_page_of_those_who_see_it(
    rows: Any, sam: Any, audrey: Any, ada: Any, browser_of: Any, subtests: Any
) -> None:
    # R5.4
    for user in (sam, audrey, ada):
        browser = browser_of(user)
        index = browser.get("/admin/").content.decode()
        for model in MODELS:
            may_see = permission_to_view(model) in granted(user.role)
            with subtests.test(f"{user.role}: {model._meta.model_name}"):
                answer = browser.get(url(model, "changelist"), {"q": "alice@example.com"})
                assert answer.status_code == (200 if may_see else 403)
                assert (url(model, "changelist") in index) == may_see
                assert not may_see or "delete_selected" not in answer.content.decode()


def test_customers_are_refused_what_has_no_page(alice: Any, browser_of: Any) -> None:
    # R1.7
    assert browser_of(alice).get("/admin/accounts/").status_code == 403


@proves("V8.3.1")
def test_a_superuser_flag_lets_no_customer_in(alice: Any, browser_of: Any) -> None:
    # R1.7
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    assert browser_of(alice).get("/admin/").status_code == 403


@proves("V6.3.3")
def test_without_both_factors_there_is_no_second_sign_in_page(
    client: Client, ada: Any, make_user: Any, browser_of: Any
) -> None:
    # R1.3, R5.1: one that would count no guesses.
    for browser in (client, browser_of(make_user("Adam", Role.ADMIN, two_factor=False))):
        answer = browser.post("/admin/login/", {"username": ada.email, "password": PASSWORD})
        assert answer.status_code == 302
        assert "_auth_user_id" not in client.session


def test_the_admins_own_sign_in_page_leads_home(alice: Any, ada: Any, browser_of: Any) -> None:
    # R5.1: there is one way in.
    for user in (alice, ada):
        for method in ("get", "post"):
            answer = getattr(browser_of(user), method)("/admin/login/", {"next": "https://evil.example/"})
            assert (answer.status_code, answer["Location"]) == (302, "/")


@proves("V6.4.6")
def test_the_admins_own_password_page_leads_to_the_banks(ada: Any, browser_of: Any) -> None:
    # R1.4, R1.8: Django's counts no guesses at the old password, records nothing and tells nobody.
    browser = browser_of(ada)
    new = "another long sentence of Ada's"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    for answer in (browser.get("/admin/password_change/"), browser.post("/admin/password_change/", data)):
        assert (answer.status_code, answer["Location"]) == (302, "/password/")
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_the_admins_own_sign_out_is_the_banks(ada: Any, browser_of: Any) -> None:
    # R1.6, R6.1
    browser = browser_of(ada)
    assert browser.get("/admin/logout/").status_code == 405
    assert browser.get("/admin/").status_code == 200
    assert browser.post("/admin/logout/")["Location"] == "/sign-in/"
    assert browser.get("/admin/").status_code == 302
    assert AuditEntry.objects.get(action="LOGOUT").actor_id == ada.pk


NOT_OFFERED = [
    (User, "password__startswith=argon2"),
    (User, "password__regex=."),
    (User, "phone=x"),
    (User, "recovery_codes__code_hash__startswith=argon2"),
    (User, "totpdevice__key__isnull=0"),
    (User, "is_superuser__exact=0"),
    (BankAccount, "owner__password__startswith=argon2"),
    (BankAccount, "number_digest__startswith=k1"),
    (TransferOrder, "key_digest__startswith=a"),
    (TransferOrder, "initiator__password__startswith=argon2"),
]


def test_lists_cannot_be_asked_for_what_they_do_not_show(ada: Any, browser_of: Any, rows: Any, subtests: Any) -> None:
    # R5.4: `?password__startswith=` would read out a hash bit by bit.
    browser = browser_of(ada)
    for model, query in NOT_OFFERED:
        with subtests.test(query):
            answer = browser.get(f"{url(model, 'changelist')}?{query}")
            assert answer.status_code in (302, 400)
            assert "alice@example.com" not in answer.content.decode()


def test_the_filters_that_lists_offer_work(ada: Any, browser_of: Any, rows: Any) -> None:
    # R5.4
    browser = browser_of(ada)
    page = browser.get(url(User, "changelist"), {"is_active__exact": "0"})
    assert page.status_code == 200
    assert "bob@example.com" not in page.content.decode()
    for role, there, not_there in (("Admin", "ada", "bob"), ("Customer", "bob", "ada")):
        page = browser.get(url(User, "changelist"), {"role": role}).content.decode()
        rows_of_page = page[page.index('id="result_list"') :]
        assert f"{there}@example.com" in rows_of_page
        assert f"{not_there}@example.com" not in rows_of_page


@proves("V8.2.3", "V15.3.1")
def test_no_page_of_the_staff_area_shows_a_secret(rows: Any, alice: Any, ada: Any, browser_of: Any) -> None:
    # R2.2, R8.1: numbers masked; phone, address, hashes and digests not at all.
    browser = browser_of(ada)
    account = rows[BankAccount]
    pages = [
        browser.get(address).content.decode()
        for model in MODELS
        for address in (url(model, "changelist"), url(model, "change", rows[model].pk))
    ]
    pages.append(browser.get(url(User, "change", alice.pk)).content.decode())
    text = "".join(pages)
    assert account.masked_number in text
    hidden = (account.number, account.number_grouped, account.number_digest, "5550101", "Lindenallee", "argon2$")
    assert [secret for secret in hidden if secret in text] == []


def test_a_list_asks_the_same_number_of_questions_however_long(
    ada: Any, browser_of: Any, make_user: Any, open_account: Any, django_assert_max_num_queries: Any, subtests: Any
) -> None:
    # R5.4: no N+1 queries.
    for number in range(12):
        open_account(make_user(f"Customer{number}"), "5.00")
    browser = browser_of(ada)
    for model in MODELS:
        with subtests.test(model._meta.model_name), django_assert_max_num_queries(14):
            assert browser.get(url(model, "changelist")).status_code == 200


def test_the_staff_area_has_the_banks_name(ada: Any, browser_of: Any, settings: Any) -> None:
    # R5.1
    assert settings.BANK_NAME in browser_of(ada).get("/admin/").content.decode()


def test_who_was_made_without_a_role_is_shown_without_one(db: Any, ada: Any, browser_of: Any) -> None:
    # R1.7
    User(email="nobody@example.com", first_name="Nobody").save()
    assert "nobody@example.com" in browser_of(ada).get(url(User, "changelist")).content.decode()


def test_moments_are_shown_to_the_second(rows: Any, ada: Any, browser_of: Any) -> None:
    # R6.4: in a minute, much happens in a bank.
    entry = rows[AuditEntry]
    local = timezone.localtime(entry.at)
    for address in (url(AuditEntry, "changelist"), url(AuditEntry, "change", entry.pk)):
        assert f"{local:%d/%m/%Y %H:%M:%S}" in browser_of(ada).get(address).content.decode()
    users = browser_of(ada).get(url(User, "changelist")).content.decode()
    assert '<td class="field-locked_at">-</td>' in users, "a moment that never was"

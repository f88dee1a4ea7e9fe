"""The rename: a customer would like to be called Alder Bank (R1.8; security finding B7).

At once and without a code, by the form for one's own details, a customer could take the bank's name, and payers and
payees then read it.
"""

from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core import management
from django.urls import reverse

from accounts.models import User
from audit.models import AuditEntry
from support.models import ServiceRequest
from tests.acts import NEWCOMER, mails, register, transfer
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import REASON, fresh_code

pytestmark = pytest.mark.django_db

ASK = "/help/requests/new/?kind=update_identity"
# First and last name, each taken for the bank's own.
LOOK_ALIKES = (
    ("Alder", "Bank"), ("ALDER", " BANK"), ("Bank", "Alder"), ("Alder-Bank", ""), ("AlderBank", ""), ("A1der", "Bank"),
    ("Alder", "Bank Support"), ("Alder", "Support"), ("Аlder", "Bank"), ("Al\u200bder", "Bank"),
    ("Ａｌｄｅｒ", "Ｂａｎｋ"),
)  # fmt: skip


def named(user: Any) -> str:
    return User.objects.get(pk=user.pk).get_full_name()


def ask(browser: Any, user: Any, first_name: str, last_name: str, reason: str = "I have married") -> Any:
    """Fill in the form for another name."""
    sent = {"first_name": first_name, "last_name": last_name, "address": user.address, "reason": reason}
    return browser.post(ASK, sent)


@proves("V2.2.1")
def test_a_customer_tries_to_become_the_bank_by_every_door(
    charlie: Any, ada: Any, browser_of: Any, api_of: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, api = browser_of(charlie), api_of(charlie)
    present = named(charlie)

    # The form for one's own details has no name to change any more, with or without a code.
    contact = {"phone": charlie.phone, "address": charlie.address, "first_name": "Alder", "last_name": "Bank"}
    browser.post("/profile/details/", contact | {"code": fresh_code(charlie)})
    assert told(api.patch("profile", {"first_name": "Alder", "last_name": "Bank"})) == (409, "name_by_request")

    # The request for another name says no to each of them, before any clerk sees it.
    for first_name, last_name in LOOK_ALIKES:
        page = ask(browser, charlie, first_name, last_name)
        assert page.context["form"].errors["first_name"], (first_name, last_name)
        sent = {"kind": "update_identity", "first_name": first_name, "last_name": last_name, "reason": "I have married"}
        assert api.post("requests", sent).status_code == 422, (first_name, last_name)
    assert not ServiceRequest.objects.exists()

    # Neither does a new customer get it, by the page or by the API.
    for first_name, last_name in LOOK_ALIKES:
        assert register(client, first_name=first_name, last_name=last_name).status_code == 200
        sent = {name: value for name, value in NEWCOMER.items() if not name.startswith("password")}
        newcomer = sent | {"first_name": first_name, "last_name": last_name, "password": PASSWORD}
        assert api_of(None).post("auth/register", newcomer).status_code == 422

    # An administrator who is talked into it reads why not; and nobody starts a bank under that name.
    form = browser_of(ada).get(reverse("admin:accounts_user_act", args=[charlie.pk, "edit"])).context["form"]
    sent = form.initial | {"first_name": "Alder", "last_name": "Bank", "reason": REASON, "code": fresh_code(ada)}
    page = browser_of(ada).post(reverse("admin:accounts_user_act", args=[charlie.pk, "edit"]), sent)
    assert "bank’s own name" in " ".join(page.context["form"].errors["first_name"])
    monkeypatch.setattr("sys.stdin", StringIO(PASSWORD + "\n"))
    with pytest.raises(management.CommandError, match="bank’s own name"):
        management.call_command("bootstrap_admin", "bank@example.com", first_name="Alder", last_name="Bank")

    assert named(charlie) == present
    assert mails(charlie.email) == []
    assert not AuditEntry.objects.filter(action="USER_UPDATED").exists()


@proves("V2.3.5")
def test_a_real_change_of_name_waits_until_a_clerk_has_seen_the_papers(
    alice: Any, bob: Any, sam: Any, browser_of: Any, api_of: Any, open_account: Any
) -> None:
    browser, clerk = browser_of(alice), browser_of(sam)
    source, target = open_account(alice, "100.00"), open_account(bob)
    rent = transfer(actor=alice, source=source, target=target, amount=Decimal(60), idempotency_key="rent of May")

    # Alice marries and asks; her profile says what waits, and nothing has changed.
    assert ask(browser, alice, "Alice", "Brandt").status_code == 302
    row = ServiceRequest.objects.get()
    assert "We’re checking your new name:</strong> Alice Brandt" in browser.get("/profile/").content.decode()
    assert api_of(alice).get("profile").json()["name_waiting"] == "Alice Brandt"
    assert named(alice) == "Alice Archer"
    assert [mail.subject for mail in mails(alice.email)][-1:] == ["We have your request"]

    # She cannot ask twice, and takes it back; what she asks for then waits again.
    assert ask(browser, alice, "Alice", "Brand").status_code == 200
    browser.post(f"/help/requests/{row.public_id}/cancel/")
    assert "We’re checking your new name" not in browser.get("/profile/").content.decode()
    ask(browser, alice, "Alice", "Archer-Brandt")
    row = ServiceRequest.objects.get(state="pending")

    # The clerk reads both names before deciding, and nothing about the address, which stays.
    page = clerk.get(reverse("admin:support_servicerequest_change", args=[row.pk])).content.decode()
    for label, value in (("Name now", "Alice Archer"), ("New name", "Alice Archer-Brandt")):
        assert f"<dt>{label}</dt><dd>{value}</dd>" in page
    assert "New address" not in page

    # The approval changes it, once, and both the customer and the log are told.
    approve = reverse("admin:support_servicerequest_act", args=[row.pk, "approve"])
    assert clerk.post(approve, {"reason": "Seen the certificate"}).status_code == 302
    assert named(alice) == "Alice Archer-Brandt"
    assert "We’re checking your new name" not in browser.get("/profile/").content.decode()
    # Payments to Bob keep the name that she had that day.
    for path in ("/history/", f"/receipts/{rent.public_id}/"):
        page = browser_of(bob).get(path).content.decode()
        assert "Alice Archer" in page
        assert "Archer-Brandt" not in page
    assert {mail.subject for mail in mails(alice.email)[-2:]} == {
        "Your request is done",
        "The bank has changed your details",
    }
    entry = AuditEntry.objects.get(action="USER_UPDATED")
    assert (entry.actor_id, entry.concerns_id) == (sam.pk, alice.pk)
    assert entry.details == {
        "reason": "Seen the certificate",
        "fields": ["last_name"],
        "request": str(row.public_id),
    }
    User.objects.filter(pk=alice.pk).update(last_name="Later")
    clerk.post(approve, {"reason": "Seen the certificate"})
    assert named(alice) == "Alice Later", "an approval counts once"

"""Every act of staff on every model, in the admin: who is offered it, and what its page refuses (R1.5, R1.7, R5.1,
R5.2).

Generated from what the admin offers: a new act is covered as soon as there is a row below that it fits.
"""

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import AccountKind, AccountStatus, BankAccount, TotpDevice, User
from accounts.roles import Role, may
from accounts.staff_acts import ActForm, ActingAdmin, ReasonForm, StaffAct
from audit.models import AuditEntry
from support.kinds import RequestKind
from support.models import ServiceRequest, Ticket, TicketMessage
from support.services import requests, tickets
from tests import acts
from tests.acts import wrong_code_for
from tests.staff_acts import REASON, fresh_code
from transfers.models import Transaction, TransferOrder

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

ACTS: list[tuple[type[Model], StaffAct]] = [
    (model, act) for model, page in admin.site._registry.items() if isinstance(page, ActingAdmin) for act in page.acts
]
EACH_ACT = pytest.mark.parametrize(
    ("model", "act"), ACTS, ids=[f"{model._meta.model_name}-{act.name}" for model, act in ACTS]
)


@pytest.fixture
def row_for(alice: Any, bob: Any, charlie: Any, open_account: Callable, new_key: Callable) -> Callable[..., Any]:
    """A row on which an act is offered now, of the latest that there are."""
    frozen, bobs, account = open_account(alice), open_account(bob), open_account(alice, "20000.00")
    BankAccount.objects.filter(pk=frozen.pk).update(status=AccountStatus.FROZEN)
    User.objects.filter(pk=bob.pk).update(locked_at="2026-11-01T00:00:00Z")
    for amount in (12_000, 5):
        acts.transfer(actor=alice, source=account, target=bobs, amount=Decimal(amount), idempotency_key=new_key())
    for status in ("resolved", "open"):
        ticket = tickets.open_ticket(actor=alice, subject="My card", text="Where is it?", idempotency_key=status)
        Ticket.objects.filter(pk=ticket.pk).update(status=status)
    requests.file_request(actor=alice, kind=RequestKind.FREEZE_ACCOUNT, account=account)

    def find(model: Any, act: StaffAct) -> Any:
        rows = model._default_manager.order_by("-pk")
        if model is User:
            rows = rows.filter(groups__name=Role.CUSTOMER.value)
        found = [row for row in rows if act.is_offered(row)]
        assert found, f"no row here fits “{act.label}”: add one"
        return found[0]

    return find


def url_of(row: Any, act: StaffAct | str | None = None) -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    if act is None:
        return reverse(f"{name}_change", args=[row.pk])
    return reverse(f"{name}_act", args=[row.pk, act if isinstance(act, str) else act.name])


def filled_in(browser: Client, row: Any, act: StaffAct, actor: Any) -> dict[str, Any]:
    """The form as its page shows it, with what is empty filled in."""
    typed: dict[str, Any] = {
        "reason": REASON,
        "text": "It is in the post.",
        "amount": "5.00",
        "phone": "+49 30 5550101",
        "role": Role.SUPPORT.value,
        "kind": AccountKind.SAVINGS.value,
        "key": uuid.uuid4(),
    }
    form = browser.get(url_of(row, act)).context["form"]
    values = {name: form[name].value() or typed.get(name, "") for name in form.fields}
    if "role" in values:
        values["role"] = typed["role"]
    if "code" in values:
        values["code"] = fresh_code(actor)
    if "customer_code" in values:
        values["customer_code"] = fresh_code(row.owner)
    return {name: value for name, value in values.items() if value is not None and value is not False}


def state_of(row: Any) -> Any:
    """What an act could change: the row itself, and how many there are of what acts make."""
    made = (BankAccount, Transaction, TransferOrder, TicketMessage, Ticket, ServiceRequest)
    again = row._meta.model._default_manager.get(pk=row.pk)
    return [getattr(again, field.attname) for field in row._meta.fields], [one.objects.count() for one in made]


def test_there_are_acts_to_look_at() -> None:
    # R5.1 names them; whatever else staff may do has a reason in REQUIREMENTS, too.
    assert {f"{model._meta.model_name}-{act.name}" for model, act in ACTS} >= {
        "bankaccount-freeze", "bankaccount-unfreeze", "bankaccount-deposit", "bankaccount-withdraw",
        "user-lock", "user-unlock", "user-role", "user-edit", "user-open-account",
        "transaction-reverse", "transferorder-release", "transferorder-reject", "fraudalert-close",
        "ticket-answer", "ticket-note", "ticket-take", "ticket-resolve", "ticket-reopen",
        "servicerequest-approve", "servicerequest-reject",
    }  # fmt: skip
    assert all(act.permission and act.label and act.explanation and act.done for _, act in ACTS)


@pytest.fixture
def everybody(alice: Any, sam: Any, audrey: Any, ada: Any) -> tuple[Any, ...]:
    return alice, sam, audrey, ada


@EACH_ACT
def test_an_act_is_for_who_has_its_permission(
    model: Any, act: StaffAct, row_for: Callable, everybody: Any, browser_of: Callable
) -> None:
    """It is offered to nobody else, and its page is 403 for them, by GET and by POST (R1.7)."""
    row = row_for(model, act)
    before = state_of(row)
    for user in everybody:
        browser = browser_of(user)
        allowed = user.role in {Role.SUPPORT, Role.ADMIN} and may(user, act.permission)
        page = browser.get(url_of(row))
        assert not allowed or page.status_code == 200
        if page.status_code == 200:
            assert (f'href="{url_of(row, act)}"' in page.content.decode()) == allowed
        assert browser.get(url_of(row, act)).status_code == (200 if allowed else 403)
        if not allowed:
            assert browser.post(url_of(row, act), {"reason": REASON}).status_code == 403
    assert state_of(row) == before


@EACH_ACT
def test_the_service_asks_again(
    model: Any, act: StaffAct, row_for: Callable, everybody: Any, browser_of: Callable, ada: Any, rf: Any
) -> None:
    """Whoever forged a way past the page still meets the service (R1.7)."""
    row = row_for(model, act)
    form = act.form(data=filled_in(browser_of(ada), row, act, ada), row=row)
    assert form.is_valid(), form.errors
    before = state_of(row)
    for user in everybody:
        if not may(user, act.permission):
            forged = rf.post("/")
            forged.user = user
            with pytest.raises(PermissionDenied):
                act.carry_out(forged, row, **form.cleaned_data)
    assert state_of(row) == before


@EACH_ACT
def test_it_is_done_once_and_recorded(
    model: Any, act: StaffAct, row_for: Callable, ada: Any, make_user: Callable, browser_of: Callable
) -> None:
    """Filled in as asked, it is done; a form that somebody else was faster with is refused (R5.1)."""
    row, colleague = row_for(model, act), make_user("Adam", Role.ADMIN)
    browser, other = browser_of(ada), browser_of(colleague)
    stale = filled_in(other, row, act, colleague)
    answer = browser.post(url_of(row, act), filled_in(browser, row, act, ada))
    assert answer.status_code == 302, answer.context["form"].errors
    assert answer["Location"] == url_of(row)
    assert [message.level_tag for message in get_messages(answer.wsgi_request)] == ["success"]
    assert AuditEntry.objects.filter(actor_id=ada.pk, request_id=answer["X-Request-ID"]).exists()

    row, after = model._default_manager.get(pk=row.pk), state_of(row)
    if not act.is_offered(row):
        answer = other.post(url_of(row, act), stale, follow=True)
        assert answer.redirect_chain == [(url_of(row), 302)]
        assert "something has changed meanwhile" in answer.content.decode()
        assert url_of(row, act) not in answer.content.decode()
        assert state_of(row) == after


@EACH_ACT
def test_without_a_reason_it_is_refused(
    model: Any, act: StaffAct, row_for: Callable, ada: Any, browser_of: Callable
) -> None:
    row, browser = row_for(model, act), browser_of(ada)
    if not act.form.base_fields:
        return
    before = state_of(row)
    for empty in ("", "   ", "\u200b", "\x00"):
        data = filled_in(browser, row, act, ada) | dict.fromkeys(
            {"reason", "text", "amount"} & set(act.form.base_fields), empty
        )
        answer = browser.post(url_of(row, act), data)
        assert answer.status_code == 200
        assert answer.context["form"].errors
        assert "data-error-summary" in answer.content.decode()
    assert state_of(row) == before


@EACH_ACT
def test_a_wrong_code_is_refused(model: Any, act: StaffAct, row_for: Callable, ada: Any, browser_of: Callable) -> None:
    # R1.5
    row, browser = row_for(model, act), browser_of(ada)
    for name in {"code", "customer_code"} & set(act.form.base_fields):
        before = state_of(row)
        data = filled_in(browser, row, act, ada)
        answer = browser.post(url_of(row, act), data | {name: wrong_code_for(data[name])})
        assert answer.status_code == 200
        assert answer.context["form"].errors
        assert state_of(row) == before


@EACH_ACT
def test_a_form_from_elsewhere_is_refused(
    model: Any, act: StaffAct, row_for: Callable, ada: Any, browser_of: Callable
) -> None:
    # R8.2
    row, browser = row_for(model, act), browser_of(ada)
    data, before = filled_in(browser, row, act, ada), state_of(row)
    browser.handler.enforce_csrf_checks = True
    assert browser.post(url_of(row, act), data).status_code == 403
    assert state_of(row) == before


@EACH_ACT
def test_what_is_not_there_is_not_found(
    model: Any, act: StaffAct, row_for: Callable, ada: Any, browser_of: Callable
) -> None:
    row, browser = row_for(model, act), browser_of(ada)
    for ask in (browser.get, browser.post):
        assert ask(url_of(row, "heist")).status_code == 404
    for forged in ("0", "999999999999999999999", "x", "%00", str(uuid.uuid4()), "1' OR '1'='1"):
        row.pk = forged
        assert browser.get(url_of(row, act)).status_code == 404, forged
        assert browser.post(url_of(row, act)).status_code == 404, forged


@pytest.mark.parametrize("name", ["lock", "edit", "role"])
def test_nobody_acts_on_themselves(name: str, ada: Any, browser_of: Callable) -> None:
    # R5.2: the page says so, and nothing happened.
    browser, before = browser_of(ada), state_of(ada)
    act = next(act for model, act in ACTS if model is User and act.name == name)
    answer = browser.post(url_of(ada, act), filled_in(browser, ada, act, ada) | {"phone": "+49 30 5550101"})
    assert "Nobody does this to themselves" in answer.content.decode()
    assert state_of(ada) == before


def test_two_clerks_are_needed_for_two_factor(alice: Any, sam: Any, make_user: Callable, browser_of: Callable) -> None:
    # R4.2: the page says whose word is there, the first clerk cannot be the second as well.
    row = requests.save_new(alice, RequestKind.RESET_TWO_FACTOR)
    first, second = browser_of(sam), browser_of(make_user("Sally", Role.SUPPORT))
    page = reverse("admin:support_servicerequest_act", args=[row.pk, "approve"])
    assert "you are the first" in first.get(page).content.decode()
    said = first.post(page, {"reason": REASON}, follow=True).content.decode()
    assert "a second clerk decides now" in said
    assert "Sam Example agreed on" in said
    assert "A second clerk has to decide it." in first.post(page, {"reason": REASON}).content.decode()
    assert TotpDevice.objects.filter(user=alice).exists()
    assert "if you, the second, agree" in second.get(page).content.decode()
    assert "Approved and done" in second.post(page, {"reason": REASON}, follow=True).content.decode()
    assert not TotpDevice.objects.filter(user=alice).exists()


def test_forms_of_acts_stand_for_themselves() -> None:
    """Every act that asks for words says why it does, and fields have a name for people."""
    forms: Iterator[type[ActForm]] = (act.form for _, act in ACTS)
    fields = [field for form in forms for field in form.base_fields.values()]
    assert all(field.label for field in fields if not field.widget.is_hidden)
    assert ReasonForm.base_fields["reason"].required

"""Every act of staff on every model, in the admin: its page refuses bad input, and it is done once (R1.5, R1.7, R5.1,
R5.2). `test_walk_of_staff_and_programs` tests who is offered which.

Generated from what the admin offers: a new act is covered as soon as the world has a row that it fits.
"""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from accounts.models import AccountKind, BankAccount, TotpDevice, User
from accounts.roles import Role, may
from accounts.staff.acts import ReasonForm, StaffAct
from audit.models import AuditEntry
from support.models import RequestKind, ServiceRequest, Ticket, TicketMessage
from support.requests import services as requests
from tests.access.doors import undone
from tests.access.staff_area import url
from tests.access.world import World, acts, name_of
from tests.acts import wrong_code_for
from tests.asvs import proves
from tests.staff_acts import REASON, fresh_code
from transfers.models import Transaction, TransferOrder

pytestmark = pytest.mark.django_db


def for_each_act(world: World, subtests: Any, check: Callable[[Any, StaffAct], None]) -> None:
    """Run every act on a row on which it is offered, in the same bank; each is undone."""
    for model, act in acts():
        with subtests.test(name_of(model, act)), undone():
            check(model._default_manager.get(pk=world.row_for(model, act).pk), act)


def url_of(row: Any, act: StaffAct | str | None = None) -> str:
    if act is None:
        return url(row, "change", row.pk)
    return url(row, "act", row.pk, act if isinstance(act, str) else act.name)


def filled_in(browser: Client, row: Any, act: StaffAct, actor: Any) -> dict[str, Any]:
    """Return the form of its page, with the empty fields filled in."""
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
    """Return what an act could change: the row itself, and the number of rows that acts make."""
    made = (BankAccount, Transaction, TransferOrder, TicketMessage, Ticket, ServiceRequest)
    again = row._meta.model._default_manager.get(pk=row.pk)
    return [getattr(again, field.attname) for field in row._meta.fields], [one.objects.count() for one in made]


def test_the_service_asks_again(
    world: World, sam: Any, audrey: Any, ada: Any, browser_of: Any, rf: Any, subtests: Any
) -> None:
    # R1.7: a forger who bypasses the page still meets the service.
    browser = browser_of(ada)

    def check(row: Any, act: StaffAct) -> None:
        form = act.form(data=filled_in(browser, row, act, ada), row=row)
        assert form.is_valid(), form.errors
        before = state_of(row)
        for user in (world.alice, sam, audrey):
            if not may(user, act.permission):
                forged = rf.post("/")
                forged.user = user
                with pytest.raises(PermissionDenied):
                    act.carry_out(forged, row, **form.cleaned_data)
        assert state_of(row) == before

    for_each_act(world, subtests, check)


def test_it_is_done_once_and_recorded(world: World, ada: Any, make_user: Any, browser_of: Any, subtests: Any) -> None:
    # R5.1: filled in as asked, it is done; the form of a slower clerk is refused.
    colleague = make_user("Adam", Role.ADMIN)

    def check(row: Any, act: StaffAct) -> None:
        browser, other = browser_of(ada), browser_of(colleague)  # within what is undone: a code renews a session's key
        stale = filled_in(other, row, act, colleague)
        answer = browser.post(url_of(row, act), filled_in(browser, row, act, ada))
        assert answer.status_code == 302, answer.context["form"].errors
        assert answer["Location"] == url_of(row)
        said = [message.level_tag for message in get_messages(answer.wsgi_request)]
        # A staff role waits for a second administrator.
        assert said == (["warning"] if name_of(type(row), act) == "user/role" else ["success"])
        assert AuditEntry.objects.filter(actor_id=ada.pk, request_id=answer["X-Request-ID"]).exists()
        again = row._meta.model._default_manager.get(pk=row.pk)
        if not act.is_offered(again):
            after = state_of(again)
            answer = other.post(url_of(again, act), stale, follow=True)
            assert answer.redirect_chain == [(url_of(again), 302)]
            assert "is not possible any more." in answer.content.decode()
            assert url_of(again, act) not in answer.content.decode()
            assert state_of(again) == after

    for_each_act(world, subtests, check)


@proves("V7.5.3")
def test_what_is_empty_or_wrong_is_refused(world: World, ada: Any, browser_of: Any, subtests: Any) -> None:
    # R1.5, R5.1: no reason, text or amount; a wrong code, of the clerk or of the customer at the counter.
    browser = browser_of(ada)

    def check(row: Any, act: StaffAct) -> None:
        asked = set(act.form.base_fields)
        data, before = filled_in(browser, row, act, ada), state_of(row)
        faults = [
            dict.fromkeys({"reason", "text", "amount"} & asked, empty)
            for empty in ("", "   ", "\u200b", "\x00") if asked
        ]  # fmt: skip
        faults += [{name: wrong_code_for(data[name])} for name in {"code", "customer_code"} & asked]
        for fault in faults:
            with undone():
                answer = browser.post(url_of(row, act), data | fault)
                assert answer.status_code == 200
                assert answer.context["form"].errors
                assert "data-error-summary" in answer.content.decode()
                assert state_of(row) == before

    for_each_act(world, subtests, check)


def test_a_form_from_elsewhere_is_refused(world: World, ada: Any, browser_of: Any, subtests: Any) -> None:
    # R8.2
    browser = browser_of(ada)

    def check(row: Any, act: StaffAct) -> None:
        browser.handler.enforce_csrf_checks = False
        data, before = filled_in(browser, row, act, ada), state_of(row)
        browser.handler.enforce_csrf_checks = True
        assert browser.post(url_of(row, act), data).status_code == 403
        assert state_of(row) == before

    for_each_act(world, subtests, check)


def test_a_missing_row_is_not_found(world: World, ada: Any, browser_of: Any, subtests: Any) -> None:
    browser = browser_of(ada)

    def check(row: Any, act: StaffAct) -> None:
        for ask in (browser.get, browser.post):
            assert ask(url_of(row, "heist")).status_code == 404
        for forged in ("0", "999999999999999999999", "x", "%00", str(uuid.uuid4()), "1' OR '1'='1"):
            row.pk = forged
            assert browser.get(url_of(row, act)).status_code == 404, forged
            assert browser.post(url_of(row, act)).status_code == 404, forged

    for_each_act(world, subtests, check)


def test_nobody_acts_on_themselves(ada: Any, browser_of: Any, subtests: Any) -> None:
    # R5.2: the page says so, and nothing happened.
    browser, before = browser_of(ada), state_of(ada)
    for model, act in acts():
        if model is User and act.name in {"lock", "edit", "role"}:
            with subtests.test(act.name):
                data = filled_in(browser, ada, act, ada) | {"phone": "+49 30 5550101"}
                answer = browser.post(url_of(ada, act), data)
                assert "Nobody does this to themselves" in answer.content.decode()
                assert state_of(ada) == before


@proves("V2.3.5")
def test_two_clerks_are_needed_for_two_factor(alice: Any, sam: Any, make_user: Any, browser_of: Any) -> None:
    # R4.2: the page says who has agreed, and the first clerk cannot be the second as well.
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
    """Every act that asks for words says why, and fields have readable names."""
    fields = [field for _, act in acts() for field in act.form.base_fields.values()]
    assert all(field.label for field in fields if not field.widget.is_hidden)
    assert ReasonForm.base_fields["reason"].required

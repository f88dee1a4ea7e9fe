"""Service requests: filed once, decided once, with reasons, by somebody else; nothing secret in them (R4.2, R5.2)."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from accounts.models import AccountFreeze, User
from accounts.people.names import NameInTwoAlphabets, NameReserved
from accounts.permission.reasons import ReasonMissing, ReasonTooLong
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.limiter.limiter import TooOften
from foundation.refusals import NotYourself, Refusal, WrongStatus
from support import selectors
from support.models import ACCOUNT_KINDS, RequestKind, ServiceRequest
from support.requests import services as service
from support.requests.kinds import KINDS
from support.requests.kinds.raise_daily_limit import NotAHigherLimit
from support.requests.kinds.reset_pin import NoPinToReset
from support.states import IllegalStep, RequestState
from tests.acts import mails
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.orders import cash
from transfers.orders.ownership import NotYourAccount

IDENTITY = {"first_name": "Alicia", "last_name": "O'Brien", "address": "Hafenstraße 9\nHamburg"}


def approve(clerk: Any, request: Any, reason: str = "Seen the documents") -> Any:
    return service.approve_request(actor=clerk, public_id=request.public_id, reason=reason)


def reject(clerk: Any, request: Any, reason: str = "Not without documents") -> Any:
    return service.reject_request(actor=clerk, public_id=request.public_id, reason=reason)


def actions_of(request: Any) -> list[str]:
    entries = AuditEntry.objects.filter(subject_id=str(request.public_id)).order_by("id")
    return [entry.action for entry in entries]


def kinds_of(request: Any) -> list[str]:
    """Return the kinds of the freezes on its account."""
    rows = AccountFreeze.objects.filter(account=request.account_id, lifted_at__isnull=True).order_by("pk")
    return list(rows.values_list("kind", flat=True))


def test_a_request_from_filing_to_done(alice: Any, sam: Any, request_of: Any) -> None:
    request = request_of(alice, reason="I lost my bag")
    approve(sam, request)
    request.refresh_from_db()
    assert (request.state, request.decided_by, request.decision_reason) == ("completed", sam, "Seen the documents")
    assert kinds_of(request) == ["customer", "support"]
    assert actions_of(request) == ["REQUEST_CREATED", "REQUEST_APPROVED", "REQUEST_COMPLETED"]
    by_authority = AuditEntry.objects.get(action="ACCOUNT_FROZEN", actor_id=sam.pk)
    assert by_authority.details["request"] == str(request.public_id)
    subjects = [mail.subject for mail in mails(alice.email)]
    assert subjects[1] == "We have your request"
    assert subjects[-1] == "Your request is done"


def test_a_rejection_changes_nothing_and_says_why_on_the_page(
    alice: Any, sam: Any, request_of: Any, browser_of: Any
) -> None:
    request = request_of(alice)
    reject(sam, request)
    assert kinds_of(request) == ["customer"], "only what filing did at once"
    assert actions_of(request) == ["REQUEST_CREATED", "REQUEST_REJECTED"]
    assert mails(alice.email)[-1].subject == "Your request was rejected"
    page = browser_of(alice).get(f"/help/requests/{request.public_id}/").content.decode()
    assert "Not without documents" in page
    assert "Your own freeze stands until you ask us to lift it." in page
    assert sam.get_full_name() not in page


def test_approval_after_rejection_is_refused(alice: Any, sam: Any, sally: Any, request_of: Any) -> None:
    # A peer's fault.
    request = request_of(alice)
    reject(sam, request)
    with pytest.raises(IllegalStep, match="Somebody else has decided this request already: it is rejected"):
        approve(sally, request)
    assert kinds_of(request) == ["customer"]
    entry = AuditEntry.objects.get(action="REQUEST_REFUSED")
    assert entry.details["reason"] == "illegal_step"
    assert (entry.actor_id, entry.concerns_id) == (sally.pk, alice.pk)


def test_what_the_service_refuses_rolls_the_whole_approval_back(
    alice: Any, sam: Any, open_account: Any, request_of: Any
) -> None:
    request = request_of(alice, "close_account", account=open_account(alice))
    cash.deposit(
        actor=alice, account=request.account, amount=Decimal(5), idempotency_key="after the request", description=""
    )
    mailed = len(mails())
    with pytest.raises(service.Refusal, match="There is money in this account"):
        approve(sam, request)
    request.refresh_from_db()
    assert (request.state, request.decided_by, request.decision_reason) == ("pending", None, "")
    assert actions_of(request) == ["REQUEST_CREATED", "REQUEST_REFUSED"]
    assert len(mails()) == mailed


@in_one_world("decide", [approve, reject])
@in_one_world(("reason", "refusal"), [("", ReasonMissing), (" ", ReasonMissing), ("x" * 301, ReasonTooLong)])
def test_a_decision_has_a_reason(
    decide: Any, reason: str, refusal: type[Exception], alice: Any, sam: Any, request_of: Any
) -> None:
    request = request_of(alice)
    with pytest.raises(refusal):
        decide(sam, request, reason)
    assert ServiceRequest.objects.get(pk=request.pk).state == RequestState.PENDING


@proves("V8.2.1")
@in_one_world("decide", [approve, reject])
def test_nobody_decides_their_own_request(decide: Any, alice: Any, request_of: Any) -> None:
    # R5.2
    request = request_of(alice)
    alice.groups.set([Group.objects.get(name=Role.ADMIN.value)])
    with pytest.raises(NotYourself):
        decide(User.objects.get(pk=alice.pk), request)
    assert ServiceRequest.objects.get(pk=request.pk).state == RequestState.PENDING


def test_cancelling_is_told_and_final(alice: Any, sam: Any, request_of: Any) -> None:
    request = request_of(alice)
    service.cancel_request(actor=alice, public_id=request.public_id)
    assert mails(alice.email)[-1].subject == "Your request is cancelled"
    assert "Your own freeze stands until you ask us to lift it." in mails(alice.email)[-1].message
    with pytest.raises(IllegalStep, match="This request was cancelled by the customer"):
        approve(sam, request)


def test_one_waits_at_a_time_for_each_kind_and_account(alice: Any, bob: Any, open_account: Any, sam: Any) -> None:
    account, other = open_account(alice), open_account(alice)
    file = lambda who, about: service.file_request(  # noqa: E731
        actor=who, kind=RequestKind.FREEZE_ACCOUNT, account=about
    )
    first = file(alice, account)
    with pytest.raises(service.AlreadyAsked):
        file(alice, account)
    file(alice, other)
    service.file_request(actor=alice, kind=RequestKind.CLOSE_ACCOUNT, account=account)
    reject(sam, first)
    file(alice, account)
    for who in (alice, bob):
        service.file_request(actor=who, kind=RequestKind.UPDATE_IDENTITY, payload=IDENTITY, reason="Married")
    with pytest.raises(service.AlreadyAsked):
        service.file_request(actor=alice, kind=RequestKind.UPDATE_IDENTITY, payload=IDENTITY, reason="Married")


@in_one_world("kind", ["freeze_account", "update_identity"])
def test_the_database_itself_keeps_a_second_one_out(kind: str, alice: Any, request_of: Any) -> None:
    more = {} if kind == "freeze_account" else {"payload": IDENTITY, "reason": "Married"}
    request = request_of(alice, kind, **more)
    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceRequest(customer=alice, kind=kind, account=request.account).save()


def test_two_filed_at_once_where_a_lock_hint_is_ignored(
    alice: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(*args: Any) -> Any:
        raise IntegrityError("service_request_once")

    monkeypatch.setattr(service, "_file", both)
    with pytest.raises(service.AlreadyAsked):
        request_of(alice)


def test_a_request_is_about_an_account_of_ones_own_in_a_fitting_state(alice: Any, bob: Any, open_account: Any) -> None:
    theirs, mine = open_account(bob), open_account(alice)
    with pytest.raises(NotYourAccount):
        service.file_request(actor=alice, kind=RequestKind.FREEZE_ACCOUNT, account=theirs)
    with pytest.raises(WrongStatus, match="This account is active"):
        service.file_request(actor=alice, kind=RequestKind.UNFREEZE_ACCOUNT, account=mine, reason="Found it")
    assert not ServiceRequest.objects.exists()


@in_one_world("kind", RequestKind)
def test_a_request_carries_what_its_kind_needs_and_nothing_else(kind: RequestKind, alice: Any, db: Any) -> None:
    # A peer's fault: a secret stored in a service request.
    if not KINDS[kind].on_the_page:
        with pytest.raises(service.NotOnThisPage):
            service.file_request(actor=alice, kind=kind)
        return
    for payload in ({"new_pin": "483920"}, dict.fromkeys(KINDS[kind].payload_keys, "x") | {"password": "x"}):
        with pytest.raises(ValueError, match="nothing else"):
            service.file_request(actor=alice, kind=kind, payload=payload, reason="Please")
    if kind in ACCOUNT_KINDS:
        with pytest.raises(ValueError, match="what its kind needs"):
            service.file_request(actor=alice, kind=kind, reason="Please")


@proves("V14.2.4")
def test_no_kind_has_room_for_a_secret() -> None:
    keys = {key for rule in KINDS.values() for key in rule.payload_keys}
    assert keys == {"first_name", "last_name", "address", "amount"}


@proves("V14.2.4")
def test_what_is_asked_for_is_sealed_in_the_database(alice: Any, request_of: Any) -> None:
    # R8.1
    request = request_of(alice, "update_identity", payload=IDENTITY, reason="Married")
    assert request.opened == IDENTITY
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM support_servicerequest")
        assert "Hafenstra" not in repr(cursor.fetchall())
    details = json.dumps([entry.details for entry in AuditEntry.objects.all()], ensure_ascii=False)
    assert "Hafenstraße" not in details
    assert "Hafenstraße" not in "".join(mail.message for mail in mails())


@in_one_world(
    ("payload", "kept"),
    [
        (IDENTITY | {"address": "Lindenallee 4\nBerlin"}, IDENTITY | {"address": ""}),
        (IDENTITY | {"address": ""}, IDENTITY | {"address": ""}),
        (IDENTITY | {"first_name": "Alice", "last_name": "Archer"}, IDENTITY | {"first_name": "", "last_name": ""}),
        (IDENTITY | {"last_name": ""}, IDENTITY | {"last_name": ""}),
    ],
)
def test_unchanged_fields_are_not_part_of_the_request(payload: Any, kept: Any, alice: Any, request_of: Any) -> None:
    # R1.8: so that an approval writes nothing that was not asked for.
    assert request_of(alice, "update_identity", payload=payload, reason="Married").opened == kept


@in_one_world(
    ("first_name", "last_name", "refused"),
    [("Alder", "Bank", NameReserved), ("Аlice", "Archer", NameInTwoAlphabets), ("Al\u200dice", "", Refusal)],
)
def test_a_name_that_nobody_can_have_is_not_asked_for(
    first_name: str, last_name: str, refused: type[Refusal], alice: Any, request_of: Any
) -> None:
    # R1.8, B7: past every form.
    payload = IDENTITY | {"first_name": first_name, "last_name": last_name}
    with pytest.raises(refused):
        request_of(alice, "update_identity", payload=payload, reason="Married")
    assert not ServiceRequest.objects.exists()


def test_names_and_address_that_no_column_takes_are_refused(alice: Any, request_of: Any) -> None:
    quotes = IDENTITY | {"first_name": "A" + '"' * 99, "last_name": "B" + '"' * 99, "address": '"' * 300}
    with pytest.raises(service.PayloadTooLong):
        request_of(alice, "update_identity", payload=quotes, reason="Married")


@in_one_world("kind", ["update_identity", "raise_daily_limit"])
def test_some_kinds_need_a_reason(kind: str, alice: Any, request_of: Any) -> None:
    payload = IDENTITY if kind == "update_identity" else {"amount": "50000"}
    with pytest.raises(ReasonMissing):
        request_of(alice, kind, payload=payload, reason=" ")


@in_one_world("amount", ["25000", "1", "NaN", "1e9", "-5", "Infinity"])
def test_a_limit_is_raised_to_an_amount_that_is_more(amount: str, alice: Any, request_of: Any) -> None:
    with pytest.raises(NotAHigherLimit):
        request_of(alice, "raise_daily_limit", payload={"amount": amount}, reason="A car")


def test_a_wish_has_an_end(alice: Any, request_of: Any) -> None:
    with pytest.raises(service.WishTooLong):
        request_of(alice, reason="x" * 501)


def test_who_has_no_pin_has_none_to_reset(alice: Any, request_of: Any) -> None:
    with pytest.raises(NoPinToReset):
        request_of(alice, "reset_pin")


def test_a_customer_cannot_flood_the_bank(alice: Any, bob: Any, request_of: Any, settings: Any) -> None:
    settings.MAX_OPEN_REQUESTS = 2
    first, _ = request_of(alice), request_of(alice)
    with pytest.raises(service.TooManyRequests):
        request_of(alice)
    request_of(bob)
    settings.REQUESTS_PER_HOUR = 3
    service.cancel_request(actor=alice, public_id=first.public_id)
    with pytest.raises(TooOften):
        request_of(alice)


def test_staff_file_no_requests(sam: Any, db: Any) -> None:
    # R1.7
    with pytest.raises(PermissionDenied):
        service.file_request(actor=sam, kind=RequestKind.RESET_PIN)


def test_staff_read_a_request_and_customers_have_no_view_of_theirs(alice: Any, audrey: Any, request_of: Any) -> None:
    request = request_of(alice)
    assert selectors.request_for_staff(audrey, request.public_id) == request
    with pytest.raises(PermissionDenied):
        selectors.request_for_staff(alice, request.public_id)


def test_the_present_state_is_looked_at_where_a_lock_hint_is_ignored(
    alice: Any, sam: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(alice)
    step = service.next_request_state

    def meanwhile(*args: Any) -> Any:
        ServiceRequest.objects.filter(pk=request.pk).update(state="rejected")
        return step(*args)

    monkeypatch.setattr(service, "next_request_state", meanwhile)
    with pytest.raises(IllegalStep):
        approve(sam, request)
    assert str(request) == f"Freeze an account ({request.public_id})"

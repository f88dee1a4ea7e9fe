"""Service requests: filed and cancelled by customers, decided by clerks, carried out by the approval itself (R4.2)."""

import json
import uuid
from collections.abc import Mapping

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import BankAccount, PendingAct, User
from accounts.permission import administrators, second_person
from accounts.permission.authority import ApprovedRequest
from accounts.permission.reasons import ReasonMissing, checked_reason
from accounts.permission.second_person import KindOfAct
from accounts.roles import Role, may, require
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.locking import lock
from foundation.refusals import NotYourself, Refusal, WrongStatus
from foundation.text import is_longer_than
from foundation.transactions import own_transaction
from support.models import MAX_WISH_CHARS, RequestKind, ServiceRequest
from support.requests.kind import KindOfRequest
from support.requests.kinds import KINDS, kind_of
from support.states import REQUEST_PERMISSIONS, IllegalStep, RequestState, RequestVerb, next_request_state
from transfers.orders.ownership import require_owner

_NOT_BOTH = "This takes two people at the bank, and they did not both agree."
_MAX_PAYLOAD_CHARS = ServiceRequest._meta.get_field("payload").max_chars


class NotOnThisPage(Refusal):
    """A reset of two-factor: a stolen session must not ask for it."""

    code = "not_on_this_page"
    text = "Ask for this on the page where you would enter your code when you sign in."


class PayloadTooLong(Refusal):
    code = "payload_too_long"
    text = "Name and address are too long together. Please shorten them."
    status = 422


class WishTooLong(Refusal):
    code = "wish_too_long"
    text = f"Say it in fewer words: {MAX_WISH_CHARS} characters at most."
    status = 422


class AdministratorNeeded(Refusal):
    code = "administrator_needed"
    text = "An administrator approves a daily limit as high as this, and a second one has to agree."


class AlreadyAsked(Refusal):
    code = "already_asked"
    text = "You have asked for this already, and we are looking at it."


class TooManyRequests(Refusal):
    """Too many open requests, not too many in a minute: waiting alone does not help."""

    code = "too_many_requests"
    text = "You have as many waiting requests as one customer can have. Wait for an answer, or cancel one."


class SecondClerkNeeded(NotYourself):
    code = "second_clerk_needed"
    text = "You have agreed to this request already. A second clerk has to decide it."


def file_request(
    *,
    actor: User,
    kind: RequestKind,
    account: BankAccount | None = None,
    payload: Mapping[str, str] | None = None,
    reason: str = "",
) -> ServiceRequest:
    """Ask the bank for something that only the bank can do.

    Args:
        payload: exactly the keys that the kind allows; amounts as text.

    Raises:
        PermissionDenied
        NotYourAccount: `account` belongs to another customer.
        ReasonMissing, WishTooLong, NotOnThisPage, WrongStatus, PayloadTooLong, AlreadyAsked, TooManyRequests: nothing
        was filed.
        Refusal: from the kind's `check()`; nothing was filed.
        TooOften: more than REQUESTS_PER_HOUR.
    """
    require(actor, "support.file_request")
    rule = KINDS[kind]
    if not rule.on_the_page:
        raise NotOnThisPage
    wanted = dict(payload or {})
    _check_parts(actor, rule, account, wanted)
    if rule.needs_reason and not reason.strip():
        raise ReasonMissing
    if is_longer_than(reason, MAX_WISH_CHARS):
        raise WishTooLong
    wanted = dict(rule.differing(actor, wanted))
    rule.check(actor, account, wanted)
    text = json.dumps({**wanted, **rule.noted(account)}, ensure_ascii=False, separators=(",", ":"))
    if len(text) > _MAX_PAYLOAD_CHARS:
        raise PayloadTooLong
    limiter.take(f"request:{actor.pk}", limiter.Limit(settings.REQUESTS_PER_HOUR, 3600))
    try:
        return _file(actor, kind, account, text, reason)
    except IntegrityError as error:  # two at once, where a lock hint is ignored
        raise AlreadyAsked from error


def _check_parts(actor: User, rule: KindOfRequest, account: BankAccount | None, payload: dict[str, str]) -> None:
    if payload.keys() != rule.payload_keys or (account is None) == rule.is_about_an_account:
        raise ValueError("A request carries what its kind needs, and nothing else.")
    if account is not None:
        require_owner(actor, account)
        if account.status not in rule.account_statuses:
            raise WrongStatus(f"This account is {account.status_label.lower()}.")


@own_transaction
def _file(customer: User, kind: RequestKind, account: BankAccount | None, payload: str, reason: str) -> ServiceRequest:
    lock(User.objects).get(pk=customer.pk)  # one queue for each customer
    waiting = ServiceRequest.objects.filter(customer=customer, state=RequestState.PENDING)
    if waiting.filter(kind=kind, account=account).exists():
        raise AlreadyAsked
    if waiting.count() >= settings.MAX_OPEN_REQUESTS:
        raise TooManyRequests
    request = save_new(customer, kind, account=account, payload=payload, reason=reason)
    KINDS[kind].begin(request)
    return request


def save_new(
    customer: User, kind: RequestKind, *, account: BankAccount | None = None, payload: str = "{}", reason: str = ""
) -> ServiceRequest:
    """Write a new request, its audit entry and its mail inside the caller's transaction."""
    request = ServiceRequest(customer=customer, kind=kind.value, account=account, payload=payload, reason=reason)
    request.save()
    record(Action.REQUEST_CREATED, actor=customer, subject=request, details=_facts_of(request))
    outbox.tell("request_filed", request_id=request.pk)
    return request


def cancel_request(*, actor: User, public_id: uuid.UUID) -> None:
    """Take back the actor's own request while nobody has decided it.

    Raises:
        PermissionDenied, IllegalStep
        ServiceRequest.DoesNotExist: also when it belongs to another customer.
    """
    require(actor, REQUEST_PERMISSIONS[RequestVerb.CANCEL])
    _cancel(actor, public_id)


@own_transaction
def _cancel(actor: User, public_id: uuid.UUID) -> None:
    request = lock(ServiceRequest.objects).get(public_id=public_id, customer=actor)
    _step(request, RequestVerb.CANCEL, decided_at=timezone.now())
    record(Action.REQUEST_CANCELLED, actor=actor, subject=request, details=_facts_of(request))
    outbox.tell("request_cancelled", request_id=request.pk)


def approve_request(*, actor: User, public_id: uuid.UUID, reason: str, seen: int | None = None) -> ServiceRequest:
    """Agree to a request, and so do what it asks for: approval, change and completion are one transaction.

    Where two clerks are needed, the first one's agreement is recorded and nothing else happens. Where two
    administrators are needed, it is approved, and done when the second one agrees (R5.8). A refusal of the changing
    service is raised here, and the request goes on waiting.

    Args:
        seen: for a request about a frozen account, the freezes that the actor has read (`accounts.freezes.version_of`).

    Raises:
        PermissionDenied, ServiceRequest.DoesNotExist
        ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotYourself: it is the actor's own.
        SecondClerkNeeded: the actor was the first of the two.
        AdministratorNeeded: the actor is not an administrator, and this takes two.
        IllegalStep: another clerk was faster.
        Refusal: from the service that makes the change, such as AccountNotEmpty.
    """
    require(actor, REQUEST_PERMISSIONS[RequestVerb.APPROVE])
    kept_reason = checked_reason(reason)
    try:
        return _approve(actor, public_id, kept_reason, seen)
    except Refusal as refusal:
        _record_refused(actor, public_id, RequestVerb.APPROVE, refusal)
        raise


@own_transaction
def _approve(actor: User, public_id: uuid.UUID, reason: str, seen: int | None) -> ServiceRequest:
    request = _locked_for_clerk(actor, public_id)
    if kind_of(request).needs_two_clerks and not has_first_word(request):
        return _endorse(actor, request, reason)
    if request.first_approved_by_id == actor.pk:
        raise SecondClerkNeeded
    takes_two = kind_of(request).takes_two_administrators(request.opened)
    if takes_two and not may(actor, second_person.DECIDES):
        raise AdministratorNeeded
    now = timezone.now()
    _step(request, RequestVerb.APPROVE, decided_by=actor, decided_at=now, decision_reason=reason)
    _record(Action.REQUEST_APPROVED, actor, request, reason=reason)
    if takes_two:
        _ask_second(actor, request, reason)
    else:
        perform(request, actor=actor, reason=reason, seen=seen)
        _complete(actor, request)
    return request


def _complete(actor: User, request: ServiceRequest) -> None:
    _step(request, RequestVerb.COMPLETE)
    _record(Action.REQUEST_COMPLETED, actor, request)
    outbox.tell("request_completed", request_id=request.pk)


def perform(
    request: ServiceRequest,
    *,
    actor: User,
    reason: str,
    second: Mapping[str, str] | None = None,
    seen: int | None = None,
) -> None:
    """Make the change that `request` asks for, inside the caller's transaction, in which it was approved.

    No rules are bent here: the service that makes the change accepts the approved request as its authority, for its own
    verb and this row only, and refuses what it always refuses.

    Raises:
        Refusal: as the changing service raises it.
    """
    kind = kind_of(request)
    subject = request.its_account if kind.is_about_an_account else request.customer
    # The services know their verbs by the values of the kinds.
    authority = ApprovedRequest(request.kind, subject, str(request.public_id), second or {}, seen)
    kind.perform(request, actor=actor, reason=reason, authority=authority)


# --- Acts that a second administrator has to agree to --------------------------------------------------------


def _ask_second(actor: User, request: ServiceRequest, reason: str) -> None:
    # After the step, so that a clerk who finds the request decided never waits here.
    asker = administrators.take_turn(actor, second_person.DECIDES)
    wishes = kind_of(request).wishes_for_clerks(request.customer, request.opened)
    asked = second_person.Asked(
        kind=APPROVED_REQUEST.kind,
        subject_id=str(request.public_id),
        person=request.customer,
        payload={"label": request.kind_label, "wishes": "; ".join(f"{name}: {value}" for name, value in wishes)},
        reason=reason,
        audited={"request": str(request.public_id)},
    )
    second_person.ask(asked, actor=asker)


def _agreed(act: PendingAct, *, second: Mapping[str, str]) -> None:
    """Do what the request asks for.

    Raises:
        PermissionDenied
        Refusal: as the changing service raises it.
    """
    asker = administrators.take_turn(act.asked_by, second_person.DECIDES)
    request = lock(ServiceRequest.objects).get(public_id=act.subject_id)
    perform(request, actor=asker, reason=act.reason, second=second)
    _complete(asker, request)


def _called_off(act: PendingAct) -> None:
    request = lock(ServiceRequest.objects).get(public_id=act.subject_id)
    _step(request, RequestVerb.CALL_OFF, decision_reason=_NOT_BOTH)
    _record(Action.REQUEST_REJECTED, act.asked_by, request, reason=_NOT_BOTH)
    outbox.tell("request_rejected", request_id=request.pk)


APPROVED_REQUEST = KindOfAct(
    kind="approve_request",
    label="Approve a request",
    said=lambda act: f"{act.opened['label']}, as {act.person} asked. {act.opened['wishes']}",
    said_to_person=lambda act: "do what you asked for",
    carry_out=_agreed,
    let_go=_called_off,
)


def has_first_word(request: ServiceRequest) -> bool:
    """Return whether a clerk has agreed who may still decide: one who was locked meanwhile does not count."""
    return request.first_approved_by is not None and may(
        request.first_approved_by, REQUEST_PERMISSIONS[RequestVerb.ENDORSE]
    )


def _endorse(actor: User, request: ServiceRequest, reason: str) -> ServiceRequest:
    now = timezone.now()
    _step(request, RequestVerb.ENDORSE, first_approved_by=actor, first_approved_at=now)
    _record(Action.REQUEST_ENDORSED, actor, request, reason=reason)
    outbox.tell("request_endorsed", request_id=request.pk)
    return request


def reject_request(*, actor: User, public_id: uuid.UUID, reason: str) -> ServiceRequest:
    """Reject a request; the customer reads the reason.

    Raises:
        PermissionDenied, ServiceRequest.DoesNotExist
        ReasonMissing, ReasonTooLong, ReasonUnreadable, NotYourself, IllegalStep
    """
    require(actor, REQUEST_PERMISSIONS[RequestVerb.REJECT])
    kept_reason = checked_reason(reason)
    try:
        return _reject(actor, public_id, kept_reason)
    except Refusal as refusal:
        _record_refused(actor, public_id, RequestVerb.REJECT, refusal)
        raise


@own_transaction
def _reject(actor: User, public_id: uuid.UUID, reason: str) -> ServiceRequest:
    request = _locked_for_clerk(actor, public_id)
    _step(request, RequestVerb.REJECT, decided_by=actor, decided_at=timezone.now(), decision_reason=reason)
    _record(Action.REQUEST_REJECTED, actor, request, reason=reason)
    outbox.tell("request_rejected", request_id=request.pk)
    return request


def _locked_for_clerk(actor: User, public_id: uuid.UUID) -> ServiceRequest:
    request = lock(ServiceRequest.objects).get(public_id=public_id)
    if request.customer_id == actor.pk:
        raise NotYourself
    if request.customer.role != Role.CUSTOMER:
        require(actor, "accounts.edit_user")  # a clerk must not open an administrator's user
    return request


def _step(request: ServiceRequest, verb: RequestVerb, **changes: object) -> None:
    """Take a step of the table, and write what goes with it; conditional, so that one of two wins even where an engine
    ignores a lock hint."""
    before = request.state
    after = next_request_state(before, verb)
    rows = ServiceRequest.objects.filter(pk=request.pk, state=before, first_approved_by=request.first_approved_by_id)
    if not rows.update(state=after, **changes):
        raise IllegalStep("Somebody else has decided this request already.")
    for name, value in {"state": after.value, **changes}.items():
        setattr(request, name, value)


def _facts_of(request: ServiceRequest) -> dict[str, str]:
    """Return what the audit log says about it: never its content (R6.2)."""
    account = {"number": request.account.masked_number} if request.account is not None else {}
    return {"kind": request.kind, **account}


def _record_refused(actor: User, public_id: uuid.UUID, verb: RequestVerb, refusal: Refusal) -> None:
    request = ServiceRequest.objects.select_related("account", "customer").get(public_id=public_id)
    _record(Action.REQUEST_REFUSED, actor, request, verb=verb.value, reason=refusal.code)


def _record(action: Action, clerk: User, request: ServiceRequest, **details: str) -> None:
    """Record what a clerk did with it, and why."""
    facts = _facts_of(request) | details
    record(action, actor=clerk, subject=request, concerns=request.customer, details=facts)

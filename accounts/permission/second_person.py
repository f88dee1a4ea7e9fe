"""Acts that one administrator asks for and a second one has to agree to (R5.8).

Instead of acting, a service calls `ask()`, with its reason and after the code: it writes a row and an audit entry, and
tells every other administrator. `approve()` carries the act out, once, through the service itself; `stop()` ends it.
Where nobody else was an administrator within SECOND_ADMIN_DAYS, the act takes effect by itself after
SOLE_ADMIN_DELAY_HOURS (`carry_out_due`, a scheduled job): all administrators are told, and so is the person concerned,
who can stop it by the link in their mail.

The kinds are data: each service above calls `register()` for its own, since nothing here knows about money.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import BankAccount, PendingAct, PendingState, StopLink, User
from accounts.permission import administrators
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.locking import lock
from foundation.mail_links import LinkInvalid
from foundation.refusals import NotNow, NotYourself, Refusal, WrongStatus
from foundation.transactions import own_transaction

DECIDES = "accounts.decide_pendingact"


class WaitsAlready(WrongStatus):
    code = "waits_already"
    text = "This waits for a second administrator already: approve or stop what waits first."


class NobodyCouldAgree(Refusal):
    """The act concerns the only other administrator who counts. `what` tells them in words what was asked for."""

    code = "nobody_could_agree"

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(
            "This takes a second administrator, and nobody else than the person it concerns was one within "
            f"{settings.SECOND_ADMIN_DAYS} days. An operator can make another one (manage.py bootstrap_admin … "
            "--another); then ask again."
        )
        self.kind, self.what = kind, what


class NeedsSecondAdministrator(Refusal):
    """One administrator alone tried the act, without `ask()`."""

    code = "needs_second_administrator"
    text = "This takes a second administrator."


class DecidedAlready(WrongStatus):
    text = "This was already decided or stopped, or has taken effect."


class NotASecondPerson(Refusal):
    code = "not_a_second_person"
    text = (
        "You became an administrator lately through whoever asks for this, or they through you: an administrator who "
        "stands for nobody else has to agree."
    )


class AskerMayNoLonger(Refusal):
    code = "asker_may_no_longer"
    text = "The administrator who asked for this is locked, or isn’t one any more. It is not carried out."


class CarriesOut(Protocol):
    """Carries the act out, inside the caller's transaction, by the ordinary service and in the asker's name.

    Raises:
        Refusal: as that service raises it.
    """

    def __call__(self, act: PendingAct, *, second: Mapping[str, str]) -> object: ...


@dataclass(frozen=True)
class KindOfAct:
    """One kind of act that needs a second administrator.

    `said` says in words what it does, for administrators, and `said_to_person` for the person concerned; `emails` are
    that person's, each with the name of its reader. `let_go` undoes what was set aside, if the act does not happen;
    `tells_person` tells the person at once even while a second administrator has to agree; `person_may_stop` gives the
    person a link. `waits_on` says whether a refusal at the due moment will pass: then the act is tried again, and the
    amount stays set aside.
    """

    kind: str
    label: str
    said: Callable[[PendingAct], str]
    said_to_person: Callable[[PendingAct], str]
    carry_out: CarriesOut
    let_go: Callable[[PendingAct], None] = lambda act: None
    emails: Callable[[PendingAct], Mapping[str, str]] = lambda act: {"person": act.person.email if act.person else ""}
    tells_person: bool = False
    person_may_stop: bool = True
    waits_on: Callable[[Refusal], bool] = lambda refusal: False


_kinds: dict[str, KindOfAct] = {}


def register(*kinds: KindOfAct) -> None:
    """Register these kinds, so that acts of them can be asked for."""
    _kinds.update({kind.kind: kind for kind in kinds})


def kind_of(act: PendingAct) -> KindOfAct:
    """Return the kind with this name.

    Raises:
        LookupError: no service has registered it.
    """
    return _kinds[act.kind]


def person_of(act: PendingAct) -> User:
    """Return whom an act concerns, for a kind that always concerns a person.

    Raises:
        ValueError
    """
    if act.person is None:
        raise ValueError("An act of this kind concerns somebody.")
    return act.person


# --- Asking ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """The request: `subject_id` names the row that would change, `person` whom it concerns, `payload` what the kind
    needs later, `audited` what the log may say about it; the caller has set `held_amount` (major units) aside on
    `held_on`."""

    kind: str
    subject_id: str
    person: User | None
    payload: Mapping[str, Any]
    reason: str
    held_on: BankAccount | None = None
    held_amount: Decimal = Decimal(0)
    audited: Mapping[str, str] = field(default_factory=dict)


def refuse_waiting(kind: str, subject_id: str) -> None:
    """Refuse if an act of this kind on the same row already waits.

    Raises:
        WaitsAlready
    """
    if waiting().filter(kind=kind, subject_id=subject_id).exists():
        raise WaitsAlready


def ask(asked: Asked, *, actor: User) -> PendingAct:
    """Write the request down, inside the caller's transaction, in which the administrator has taken their turn
    (`administrators.take_turn`).

    Raises:
        WaitsAlready
        NobodyCouldAgree: except the person concerned, who was an administrator recently.
    """
    now = timezone.now()
    refuse_waiting(asked.kind, asked.subject_id)
    act = PendingAct(
        kind=asked.kind,
        subject_id=asked.subject_id,
        person=asked.person,
        asked_by=actor,
        asked_at=now,
        reason=asked.reason,
        held_on=asked.held_on,
        held_amount=asked.held_amount,
    )
    act.payload = json.dumps(asked.payload, ensure_ascii=False)
    others = administrators.others_than(actor, at=now)
    if not others:
        act.effective_at = now + timedelta(hours=settings.SOLE_ADMIN_DELAY_HOURS)
    elif all(user.pk == act.person_id for user in others):
        raise NobodyCouldAgree(act.kind, kind_of(act).said_to_person(act))
    act.save()
    _record(Action.PENDING_ACT_ASKED, act, actor, reason=asked.reason, **asked.audited)
    _tell_of_asked(act)
    return act


def _tell_of_asked(act: PendingAct) -> None:
    outbox.tell("pending_act_asked", act_id=act.pk)
    kind = kind_of(act)
    if act.person is None or not (act.effective_at or kind.tells_person):
        return
    for reader, email in kind.emails(act).items():
        token = ""
        if act.effective_at and kind.person_may_stop:
            token = StopLink(act=act, reader=reader).issue(lasts=act.effective_at - timezone.now())
        outbox.tell("pending_act_announced", act_id=act.pk, to=email, token=token)


def told_of(act: PendingAct) -> Iterable[User]:
    """Return the administrators to tell: all who count except the asker, and the asker too where the act takes effect
    by itself."""
    everybody = administrators.lately(at=timezone.now())
    return [user for user in everybody if act.effective_at or user.pk != act.asked_by_id]


# --- Deciding --------------------------------------------------------------------------------------------------


def approve(*, actor: User, act: PendingAct, reason: str, code: str, origin: Origin) -> PendingAct:
    """Agree as the second administrator, and so carry the act out through its service.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongCode, TryAgainIn, TooOften
        NotYourself: the actor asked for it, or it concerns them.
        NotASecondPerson, DecidedAlready, AskerMayNoLonger
        Refusal: from the service; the act then goes on waiting.
    """
    require(actor, DECIDES)
    kept_reason = checked_reason(reason)
    _refuse_decided(act)
    _refuse_unfit(actor, act)
    verify_fresh_code(actor=actor, code=code, origin=origin)
    try:
        return _approve(actor, act.pk, kept_reason)
    except Refusal as refusal:
        _record(Action.PENDING_ACT_REFUSED, act, actor, reason=refusal.code)
        raise


@own_transaction
def _approve(actor: User, pk: int, reason: str) -> PendingAct:
    act = _locked(pk)
    administrators.take_turn(actor, DECIDES)
    _refuse_unfit(actor, act)
    _carry_out(act, second={"approved_by": str(actor.public_id)})
    _decide(act, PendingState.DONE, actor=actor, reason=reason)
    _record(Action.PENDING_ACT_APPROVED, act, actor, reason=reason)
    return act


def stop(*, actor: User, act: PendingAct, reason: str, code: str, origin: Origin) -> PendingAct:
    """Stop the act: nothing changes. Any administrator may, also the one who asked; but not the person concerned, while
    a second administrator is needed.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongCode, TryAgainIn, TooOften
        NotYourself, DecidedAlready
    """
    require(actor, DECIDES)
    kept_reason = checked_reason(reason)
    _refuse_decided(act)
    verify_fresh_code(actor=actor, code=code, origin=origin)
    return _stop(act.pk, kept_reason, actor)


@own_transaction
def stop_by_link(*, token: str) -> PendingAct:
    """Stop the act by the link in the mail to the person concerned.

    Raises:
        LinkInvalid: also once it was decided.
    """
    link = StopLink.find(token)
    try:
        return _stop.joined(link.act_id, f"By the link in the mail to the {link.reader.replace('_', ' ')}.", None)
    except DecidedAlready as error:
        raise LinkInvalid from error


@own_transaction
def _stop(pk: int, reason: str, actor: User | None) -> PendingAct:
    act = _locked(pk)
    if actor is not None:
        administrators.take_turn(actor, DECIDES)
        if act.effective_at is None and act.person_id == actor.pk:
            raise NotYourself
    kind_of(act).let_go(act)
    _decide(act, PendingState.STOPPED, actor=actor, reason=reason)
    _record(Action.PENDING_ACT_STOPPED, act, actor, reason=reason)
    return act


def _refuse_decided(act: PendingAct) -> None:
    if not act.is_waiting:
        raise DecidedAlready


def _refuse_unfit(actor: User, act: PendingAct) -> None:
    """Refuse administrators who may not decide it.

    Raises:
        NotYourself, NotASecondPerson
    """
    if actor.pk in (act.asked_by_id, act.person_id):
        raise NotYourself
    if administrators.are_one([actor, act.asked_by], at=timezone.now()):
        raise NotASecondPerson


def _locked(pk: int) -> PendingAct:
    """Return the act, locked before everything else.

    Raises:
        DecidedAlready
    """
    act = lock(PendingAct.objects).get(pk=pk)
    _refuse_decided(act)
    return act


def _carry_out(act: PendingAct, *, second: Mapping[str, str]) -> None:
    """Carry the act out.

    Raises:
        Refusal, AskerMayNoLonger
    """
    try:
        kind_of(act).carry_out(act, second={"asked": str(act.public_id), **second})
    except PermissionDenied as error:
        raise AskerMayNoLonger from error


def _decide(act: PendingAct, state: PendingState, *, actor: User | None, reason: str) -> None:
    """Write the decision, conditionally, so that one of two wins even where an engine ignores a lock hint."""
    changes = {"state": state.value, "decided_by": actor, "decided_at": timezone.now(), "decision_reason": reason}
    if not PendingAct.objects.filter(pk=act.pk, state=PendingState.WAITING).update(**changes):
        raise DecidedAlready
    for name, value in changes.items():
        setattr(act, name, value)
    links, _ = StopLink.objects.filter(act=act).delete()
    outbox.tell("pending_act_ended", act_id=act.pk)
    kind = kind_of(act)
    # The service that carried it out tells them that.
    if state != PendingState.DONE and act.person is not None and (links or kind.tells_person):
        for email in kind.emails(act).values():
            outbox.tell("pending_act_called_off", act_id=act.pk, to=email)


def _record(action: Action, act: PendingAct, actor: User | None, **details: str) -> None:
    """Record the decision: the log names the kind and whom it concerns, never its content (R6.2)."""
    label = "" if actor else "the link in a mail" if action == Action.PENDING_ACT_STOPPED else "the bank"
    when = {"takes_effect": act.effective_at.isoformat(timespec="seconds")} if act.effective_at else {}
    record(
        action,
        actor=actor,
        actor_label=label,
        subject=act,
        concerns=act.person if actor is None or act.person_id != actor.pk else None,
        details={"kind": act.kind, **when, **details},
    )


# --- What takes effect by itself ---------------------------------------------------------------------------------


def waiting() -> QuerySet[PendingAct]:
    return PendingAct.objects.filter(state=PendingState.WAITING)


def carry_out_due(*, at: datetime | None = None) -> dict[str, int]:
    """Carry out acts that are due, and forget acts that nobody agreed to for PENDING_ACT_DAYS; return how many ended in
    which way. Each has a transaction of its own; safe at any time, also twice at once.
    """
    now = at or timezone.now()
    old = Q(effective_at__isnull=True, asked_at__lte=now - timedelta(days=settings.PENDING_ACT_DAYS))
    due = waiting().filter(Q(effective_at__lte=now) | old).order_by("asked_at")
    ended: dict[str, int] = {}
    for pk in due.values_list("pk", flat=True):
        try:
            state = _end(pk, now)
        except DecidedAlready:  # another process was faster
            continue
        ended[state] = ended.get(state, 0) + 1
    return ended


@own_transaction
def _end(pk: int, now: datetime) -> str:
    act = _locked(pk)
    administrators.queue_up()
    if act.effective_at is None:
        kind_of(act).let_go(act)
        _decide(act, PendingState.EXPIRED, actor=None, reason="Nobody agreed to it in time.")
        _record(Action.PENDING_ACT_EXPIRED, act, None)
    elif administrators.others_than(act.asked_by, at=now):
        # An operator has made another administrator meanwhile: that one decides.
        act.effective_at = None
        act.save(update_fields=["effective_at"])
        outbox.tell("pending_act_asked", act_id=act.pk)
    else:
        _take_effect(act)
    return str(act.state)


def _take_effect(act: PendingAct) -> None:
    """Carry the act out; or end it, with the obstacle as the reason, since nobody is there to try again. It waits for
    obstacles that will pass."""
    try:
        with transaction.atomic():
            _carry_out(act, second={"delayed_until": _moment(act)})
    except NotNow:
        raise
    except Refusal as refusal:
        if kind_of(act).waits_on(refusal):
            return
        kind_of(act).let_go(act)
        _decide(act, PendingState.REFUSED, actor=None, reason=str(refusal))
        _record(Action.PENDING_ACT_REFUSED, act, None, reason=refusal.code)
    else:
        _decide(act, PendingState.DONE, actor=None, reason="Nobody stopped it in time.")
        _record(Action.PENDING_ACT_DUE, act, None)


def _moment(act: PendingAct) -> str:
    return act.effective_at.isoformat(timespec="seconds") if act.effective_at else ""

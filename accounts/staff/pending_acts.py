"""Acts that wait for a second administrator, in the staff's area: in words, and the two decisions (R5.8)."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import PendingAct
from accounts.permission import second_person
from accounts.sign_in.origin import origin_of
from accounts.staff.acts import CodeAsked, CodeReasonForm, StaffAct, actor_of


def how_it_waits(act: PendingAct) -> str:
    """Say how it waits, for the administrator who has just asked for it."""
    if act.effective_at is None:
        return "Nothing has changed yet: a second administrator has to agree. The others are told by mail."
    return (
        f"Nothing has changed yet: nobody else has been an administrator lately, so it takes effect after "
        f"{_moment(act.effective_at)}, unless somebody stops it."
    )


def what_becomes_of_it(act: PendingAct) -> str:
    """Say what will happen to it, on its page while it waits."""
    if act.effective_at is None:
        return "A second administrator has to agree. It can’t be the one who asked, or the person it concerns."
    return f"It takes effect by itself after {_moment(act.effective_at)}, unless somebody stops it."


def in_words(act: PendingAct) -> dict[str, Any]:
    """Return what templates/admin/pending_act.html shows."""
    return {
        "waiting_act": act,
        "said": second_person.kind_of(act).said(act),
        "becomes": what_becomes_of_it(act) if act.is_waiting else "",
    }


def _moment(at: Any) -> str:
    return date_format(timezone.localtime(at), "j F Y, H:i")


def _approve(request: HttpRequest, act: PendingAct, **given: Any) -> None:
    second_person.approve(actor=actor_of(request), act=act, origin=origin_of(request), **given)


def _stop(request: HttpRequest, act: PendingAct, **given: Any) -> None:
    second_person.stop(actor=actor_of(request), act=act, origin=origin_of(request), **given)


def _said(act: PendingAct) -> str:
    return second_person.kind_of(act).said(act)


PENDING_ACTS = (
    StaffAct(
        name="approve",
        label="Approve",
        permission=second_person.DECIDES,
        explanation=lambda act: (
            f"{_said(act)}: this happens at once. You are the second administrator, and answer for "
            "it together with the one who asked."
        ),
        done="Approved and done.",
        carry_out=_approve,
        code=CodeAsked.EACH,
        form=CodeReasonForm,
        is_offered=lambda act: act.is_waiting,
    ),
    StaffAct(
        name="stop",
        label="Stop",
        permission=second_person.DECIDES,
        explanation=lambda act: f"{_said(act)}: this will not happen. Everybody who was told about it is told.",
        done="Stopped: nothing was changed.",
        carry_out=_stop,
        code=CodeAsked.EACH,
        form=CodeReasonForm,
        is_offered=lambda act: act.is_waiting,
        is_dangerous=True,
    ),
)

"""Acts of administrators on people and accounts: the buttons of their pages (R1.5, R5.1)."""

from typing import Any

from django import forms
from django.http import HttpRequest

from accounts import people
from accounts.forms import EmailAddressField, PersonForm
from accounts.models import PendingAct, User
from accounts.roles import Role
from accounts.sign_in.origin import origin_of
from accounts.staff.acts import AdminKeyForm, CodeAsked, CodeReasonForm, StaffAct, actor_of
from accounts.staff.list_filters import LockedFilter
from accounts.staff.pending_acts import how_it_waits


class EditUserForm(CodeReasonForm, PersonForm):
    """What staff may edit about a person; the postal address is not included."""

    address = None  # type: ignore[assignment]
    email = EmailAddressField(label="E-mail", max_length=254)
    is_active = forms.BooleanField(label="May sign in", required=False)
    seen = forms.CharField(widget=forms.HiddenInput)

    field_order = ("first_name", "last_name", "email", "phone", "is_active", "reason", "code")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["phone"].required = not self.row.is_staff
        for name in ("first_name", "last_name", "email", "phone"):  # another person's data: no browser fills them in
            self.fields[name].widget.attrs["autocomplete"] = "off"


class RoleForm(CodeReasonForm):
    role = forms.ChoiceField(label="Role", choices=[(role.value, role.value) for role in Role])

    field_order = ("role", "reason", "code")


def _lock(request: HttpRequest, user: User, **given: Any) -> None:
    people.lock_user(actor=actor_of(request), user=user, origin=origin_of(request), **given)


def _unlock(request: HttpRequest, user: User, **given: Any) -> None:
    people.unlock_user(actor=actor_of(request), user=user, origin=origin_of(request), **given)


def _edit(request: HttpRequest, user: User, **given: Any) -> people.Edited:
    return people.edit_user(actor=actor_of(request), user=user, origin=origin_of(request), **given)


def _change_role(request: HttpRequest, user: User, *, role: str, **given: Any) -> PendingAct | None:
    return people.change_role(actor=actor_of(request), user=user, origin=origin_of(request), role=Role(role), **given)


def _edited(outcome: people.Edited) -> str:
    if outcome.waits is None:
        return "The details are saved."
    return f"{'The rest is saved. ' if outcome.fields else ''}{how_it_waits(outcome.waits)}"


def _role_changed(waits: PendingAct | None) -> str:
    return "The role is changed." if waits is None else how_it_waits(waits)


USER_ACTS = (
    StaffAct(
        name="edit",
        label="Edit details",
        permission="accounts.edit_user",
        explanation="The person is told by mail what was changed; of another e-mail address, at the old one too. "
        "Another address or “may not sign in” ends all sessions at once. A second administrator has to agree before an "
        "e-mail address changes, an administrator may not sign in, or a colleague may again.",
        done=_edited,
        is_waiting=lambda edited: edited.waits is not None,
        carry_out=_edit,
        code=CodeAsked.EACH,
        form=EditUserForm,
        changes=("is_active",),
        initial=lambda user: {
            **{name: getattr(user, name) for name in ("first_name", "last_name", "email", "phone", "is_active")},
            "seen": people.version_of(user),
        },
    ),
    StaffAct(
        name="role",
        label="Change role",
        permission="accounts.change_role",
        explanation="All sessions of the person end at once; the new role holds from the next sign-in. A second "
        "administrator has to agree to a staff role, and to another role for an administrator.",
        done=_role_changed,
        is_waiting=lambda waits: waits is not None,
        carry_out=_change_role,
        code=CodeAsked.EACH,
        form=RoleForm,
        initial=lambda user: {"role": user.role},
    ),
    StaffAct(
        name="lock",
        label="Lock",
        permission="accounts.lock_user",
        explanation="The person is signed out everywhere at once and cannot sign in until somebody unlocks them.",
        done="This person is locked.",
        carry_out=_lock,
        code=CodeAsked.EACH,
        form=AdminKeyForm,
        changes=(LockedFilter,),
        is_offered=lambda user: user.locked_at is None,
        is_dangerous=True,
    ),
    StaffAct(
        name="unlock",
        label="Unlock",
        permission="accounts.unlock_user",
        explanation="Lifts the bank’s lock, the pause after wrong passwords and codes, and the lock of the PIN.",
        done="This person is unlocked.",
        carry_out=_unlock,
        code=CodeAsked.EACH,
        form=AdminKeyForm,
        changes=(LockedFilter,),
        is_offered=lambda user: bool(people.locks_of(user)),
    ),
)

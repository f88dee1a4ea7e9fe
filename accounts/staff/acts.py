"""Acts of staff on a row: a button on its page in the admin, a form that asks for a reason, one service (R5.1).

The pages are views of their own, outside the admin's change view: that one runs in a transaction, and services own
theirs. The buttons follow the permissions; the services check again. Each act says which code of the clerk it needs
(`CodeAsked`, R5.8), and the page asks for it.
"""

import importlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core import checks
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse

from accounts.forms import CodeField
from accounts.models import User
from accounts.permission.reasons import MAX_REASON_CHARS
from accounts.roles import home_of, may
from accounts.sign_in import fresh_code
from accounts.sign_in.origin import origin_of
from accounts.sign_in.sessions import pages
from accounts.staff.list_filters import yes_no_filter
from accounts.views.refusals import refusals_shown_in
from foundation.admin.read_only import ReadOnlyAdmin
from foundation.form_fields import LineField
from foundation.refusals import NotNow, Refusal


class CodeAsked(Enum):
    """Which code of the clerk's own authenticator app an act needs (R5.8)."""

    NONE = "none"
    LATELY = "lately"  # one within STAFF_CODE_SECONDS in this session: for acts that move money, or let it move
    EACH = "each"  # one for each act, which the service verifies: who may do what, and who gets in


def _code_field() -> forms.CharField:
    return CodeField(
        label="Your code",
        help_text="Six digits from your own authenticator app.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )


class ActForm(forms.Form):
    """The fields of an act are set by name. Without any, it only asks whether the clerk is sure."""

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row


class ReasonForm(ActForm):
    reason = LineField(
        label="Reason", max_length=MAX_REASON_CHARS, widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: it stays in the audit log."},
    )  # fmt: skip


class ReasonForCustomerForm(ReasonForm):
    """For decisions whose reason the customer reads."""

    reason = LineField(
        label="Reason, as the customer reads it", max_length=MAX_REASON_CHARS, widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why: the customer reads it, and it stays in the audit log."},
    )  # fmt: skip


class ShownFreezesField(forms.IntegerField):
    """Which freezes of an account the page shows (`accounts.freezes.version_of`): the form sends them back, so that
    nobody lifts one unread. A page that is shown again shows the current freezes, and so does its field."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(required=False, min_value=0)

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial


class CodeReasonForm(ReasonForm):
    """For acts that a stolen session of staff must not do (R1.5)."""

    asks_for_admin_key = False

    code = _code_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.asks_for_admin_key and settings.ADMIN_KEY:
            self.fields["admin_key"] = forms.CharField(
                label="Administrators’ key", max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
            )


class AdminKeyForm(CodeReasonForm):
    """Also asks for `ADMIN_KEY`, if the bank has set one."""

    asks_for_admin_key = True


@dataclass(frozen=True)
class StaffAct:
    """One thing that staff may do to a row of a model.

    `carry_out(request, row, **cleaned_data)` calls the service; `is_offered(row)` says whether it makes sense now, and
    `why_not(row, actor)` why it no longer does; `initial(row)` fills the form in. `explanation` says in plain words
    what will happen, to this row where it is a function; `done` says that it happened, from what the service returned
    where it is one, and `is_waiting` whether it still waits for a person: then the message is a warning. `changes`
    names the fields of the model that show afterwards that the act was done: the page of the row shows them, and the
    list is filtered by them, a boolean one through an index that begins with it. `changes` may give a filter of its own
    instead.
    """

    name: str
    label: str
    permission: str
    explanation: str | Callable[[Any], str]
    done: str | Callable[[Any], str]
    carry_out: Callable[..., object]
    code: CodeAsked
    form: type[ActForm] = ReasonForm
    is_offered: Callable[[Any], bool] = field(default=lambda row: True)
    why_not: Callable[[Any, User], str] = field(default=lambda row, actor: "Something has changed meanwhile.")
    initial: Callable[[Any], dict[str, Any]] = field(default=lambda row: {})
    is_dangerous: bool = False
    is_waiting: Callable[[Any], bool] = field(default=lambda outcome: False)
    changes: tuple[str | type[admin.ListFilter], ...] = ()

    def explained(self, row: Any) -> str:
        return self.explanation if isinstance(self.explanation, str) else self.explanation(row)

    def confirmed(self, outcome: Any) -> str:
        return self.done if isinstance(self.done, str) else self.done(outcome)


def actor_of(request: HttpRequest) -> User:
    """Return the signed-in user; the admin lets nobody else come this far."""
    actor: Any = request.user
    return actor


_acts_of: dict[type[Model], list[StaffAct]] = defaultdict(list)


def offer(model: type[Model], *acts: StaffAct) -> None:
    """Add these acts to the pages of a model's rows. An app may do so for a model of an app below it.

    Raises:
        TypeError: an act lacks a part. `check_acts` finds what other files lack.
    """
    for act in acts:
        if faults := list(_faults_of(act, _acts_of[model])):
            raise TypeError(f"The act {act.name!r} on {model.__name__} is not whole: {'; '.join(faults)}.")
        _acts_of[model].append(act)


def _faults_of(act: StaffAct, others: list[StaffAct]) -> Iterator[str]:
    for part in ("name", "label", "permission", "explanation", "done"):
        if not getattr(act, part):
            yield f"it lacks its {part}"
    if any(act.name == other.name for other in others):
        yield "another one is called so"
    if issubclass(act.form, CodeReasonForm) != (act.code == CodeAsked.EACH):
        yield "the form of an act that takes a code each time is a CodeReasonForm, and no other is"


def check_acts(**_: Any) -> list[checks.CheckMessage]:
    """Check that each act has its permission, declared by a model and given to a role, and the fields that it
    changes."""
    return [
        checks.Error(f"The act {act.name!r} on {model.__name__}: {fault}", id="accounts.E004")
        for model, acts in _acts_of.items()
        for act in acts
        for fault in (*_faults_of_permission(act.permission), *_faults_of_changes(model, act))
    ]


def _faults_of_permission(permission: str) -> Iterator[str]:
    app, _, codename = permission.partition(".")
    try:
        home_of(app, codename)
    except LookupError:
        yield f"{permission} stands in no Meta.permissions of {app}/models.py."
    grants = importlib.import_module(f"{app}.roles").GRANTS
    if not any(permission in granted for granted in grants.values()):
        yield f"no role has {permission}: add it to GRANTS in {app}/roles.py, and a migration that calls grant()."


def _faults_of_changes(model: type[Model], act: StaffAct) -> Iterator[str]:
    fields = {field.name for field in model._meta.get_fields()}
    for name in act.changes:
        if isinstance(name, str) and name not in fields:
            yield f"{name} is no field of the model, in {model.__module__.replace('.', '/')}.py."


class ActingAdmin(ReadOnlyAdmin):
    """A read-only admin with the acts on its rows that were `offer`ed for its model.

    `about_template` says what a row is about, at the top of its page and on the pages of its acts.
    """

    about_template = ""

    @property
    def acts(self) -> list[StaffAct]:
        return _acts_of[self.model]

    @property
    def changed_by_acts(self) -> list[Any]:
        """Return the names of fields, and filters, that show afterwards that an act was done."""
        return list(dict.fromkeys(one for act in self.acts for one in act.changes))

    def filters(self) -> tuple[Any, ...]:
        return (*super().filters(), *map(self._filter_by, self.changed_by_acts))

    def _filter_by(self, one: Any) -> Any:
        field = self.opts.get_field(one) if isinstance(one, str) else None
        return yes_no_filter(field) if isinstance(field, BooleanField) else one

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = super().get_fields(request, obj)
        changed = self._with_moments(one for one in self.changed_by_acts if isinstance(one, str))
        return [*shown, *(one for one in changed if one not in shown)]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("<path:object_id>/act/<slug:act_name>/", view, name=name), *super().get_urls()]

    def acts_on(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """Return the buttons of a row's page: acts that this role may do, and that make sense now."""
        return [
            {"label": act.label, "url": self._url(row, act), "is_dangerous": act.is_dangerous}
            for act in self.acts
            if may(request.user, act.permission) and act.is_offered(row)
        ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the row, as Django does, which would read it a second time for the page."""
        read = vars(request).setdefault("_rows_read", {})
        key = (self.model, object_id, from_field)
        if key not in read:
            read[key] = super().get_object(request, object_id, from_field)
        return read[key]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        context = dict(extra_context or {})
        if row is not None and self.has_view_permission(request, row):
            context |= {"acts": self.acts_on(request, row)} | self._about(request, row)
        return super().change_view(request, object_id, form_url, context)

    def about(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what `about_template` shows."""
        return {}

    def _about(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"about_template": self.about_template} | self.about(request, row)

    def act_view(self, request: HttpRequest, object_id: str, act_name: str) -> HttpResponse:
        row, act = self._found(request, object_id, act_name)
        row_url = self._row_url(row)
        if not act.is_offered(row):
            why_not = act.why_not(row, actor_of(request))
            messages.warning(request, f"“{act.label}” is not possible any more. {why_not}")
            return redirect(row_url)
        form = act.form(request.POST if request.method == "POST" else None, row=row, initial=act.initial(row))
        session = pages.id_of(request.session)
        if act.code == CodeAsked.LATELY and not fresh_code.was_given_lately(session):
            form.fields["code"] = _code_field()
        if request.method == "POST" and form.is_valid():
            try:
                with refusals_shown_in(form):
                    outcome = act.carry_out(request, row, **self._past_the_code(request, act, form))
                    if act.code == CodeAsked.EACH:
                        fresh_code.note_given(session)
                    level = messages.WARNING if act.is_waiting(outcome) else messages.SUCCESS
                    messages.add_message(request, level, act.confirmed(outcome))
                    return redirect(row_url)
            except NotNow:
                raise
            except Refusal as refusal:
                form.add_error(None, str(refusal))
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": act.label,
            "act": act,
            "explanation": act.explained(row),
            "form": form,
            "row": row,
            "row_url": row_url,
        }
        context |= self._about(request, row)
        return render(request, "admin/act.html", context)

    def _past_the_code(self, request: HttpRequest, act: StaffAct, form: ActForm) -> dict[str, Any]:
        """Return the act's arguments, after the code beside the form was verified.

        Raises:
            CodeNeeded, WrongCode, TryAgainIn, TooOften
        """
        given = dict(form.cleaned_data)
        if act.code == CodeAsked.LATELY:
            fresh_code.require_recent_code(
                actor=actor_of(request),
                session=pages.id_of(request.session),
                code=given.pop("code", ""),
                origin=origin_of(request),
            )
            form.fields.pop("code", None)  # if the service refuses, this code counts for the next try
        return given

    def _found(self, request: HttpRequest, object_id: str, act_name: str) -> tuple[Any, StaffAct]:
        act = next((act for act in self.acts if act.name == act_name), None)
        if act is None:
            raise Http404
        if not may(request.user, act.permission):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row, act

    def _row_url(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def _url(self, row: Any, act: StaffAct) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=[row.pk, act.name])

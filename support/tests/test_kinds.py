"""A kind of request is complete or the program does not start: a forgotten part is named (R4.2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from django import forms

from accounts.models import AccountStatus
from support.models import RequestKind
from support.requests.kind import KindOfRequest, registered
from support.requests.kinds import KINDS, PAGE_KINDS
from support.requests.kinds.freeze_account import FreezeAccount
from support.requests.kinds.raise_daily_limit import LimitRequestForm, RaiseDailyLimit, RaiseDailyLimitIn
from support.requests.kinds.reset_pin import ResetPin
from support.requests.kinds.update_identity import UpdateIdentity

CLASSES = [type(kind) for kind in KINDS.values()]
API_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def changed(kind: type[KindOfRequest], /, **parts: Any) -> type[KindOfRequest]:
    return type("Forgetful", (kind,), parts)


@pytest.mark.parametrize("part", ["kind", "icon", "explanation", "approval_does", "form", "schema"])
def test_a_kind_without_a_part_is_refused(part: str) -> None:
    with pytest.raises(TypeError, match=rf"Forgetful is no whole kind of request. It lacks: {part}\."):
        registered(changed(UpdateIdentity, **{part: None}))


def test_a_kind_says_what_it_refuses_what_it_does_and_what_clerks_see() -> None:
    class Silent(KindOfRequest):
        payload_keys = frozenset({"amount"})

    lacking = "check, perform, kind, icon, explanation, approval_does, form, schema, wishes_for_clerks"
    with pytest.raises(TypeError, match=f"Silent is no whole kind of request. It lacks: {lacking}"):
        registered(Silent)  # type: ignore[type-abstract]


class OtherForm(LimitRequestForm):
    note = forms.CharField()


class OtherSchema(RaiseDailyLimitIn):
    note: str


class SchemaOfAnother(RaiseDailyLimitIn):
    kind: Literal["reset_pin"]  # type: ignore[assignment]


class NoReasonNeeded(RaiseDailyLimitIn):
    reason: str = ""


@pytest.mark.parametrize(
    ("kind", "parts", "fault"),
    [
        (RaiseDailyLimit, {"form": OtherForm}, "the form has other fields"),
        (RaiseDailyLimit, {"schema": OtherSchema}, "the schema has other fields"),
        (RaiseDailyLimit, {"payload_keys": {"amount", "note"}}, "the form has other fields"),
        (RaiseDailyLimit, {"schema": SchemaOfAnother}, "the schema is of another kind"),
        (RaiseDailyLimit, {"schema": NoReasonNeeded}, "the schema and needs_reason differ"),
        (ResetPin, {"needs_reason": True}, "the schema and needs_reason differ"),
        (ResetPin, {"account_statuses": (AccountStatus.ACTIVE,)}, "for those in ACCOUNT_KINDS"),
        (FreezeAccount, {"account_statuses": ()}, "for those in ACCOUNT_KINDS"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    kind: type[KindOfRequest], parts: Mapping[str, Any], fault: str
) -> None:
    with pytest.raises(TypeError, match=f"The parts of Forgetful do not fit together: .*{fault}"):
        registered(changed(kind, **parts))


def test_every_name_has_one_class() -> None:
    assert list(registered(*CLASSES)) == list(KINDS)
    assert list(registered(*reversed(CLASSES))) == list(RequestKind), "in the order of the page"
    for classes in (CLASSES[1:], [*CLASSES, CLASSES[0]]):
        with pytest.raises(TypeError, match=r"one class, in support/requests/kinds/; look at freeze_account\."):
            registered(*classes)


@pytest.mark.parametrize("kind", PAGE_KINDS)
def test_programmers_read_what_a_kind_takes(kind: RequestKind) -> None:
    rows = [row for row in API_DOCUMENT.read_text(encoding="utf-8").splitlines() if row.startswith("| `")]
    row = next((row for row in rows if f"`{kind}`" in row.split("|")[1]), None)
    assert row is not None, f"docs/api.md has no row for {kind}"
    fields = KINDS[kind].schema.model_fields.keys() - {"kind"}
    lacking = [field for field in sorted(fields) if f"`{field}`" not in row]
    assert lacking == [], f"the row of {kind} in docs/api.md does not name them"

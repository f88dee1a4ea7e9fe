"""An act of staff is complete or the program does not start: the error names what is missing (R5.1, R5.8)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib import admin

from accounts import roles
from accounts.models import User
from accounts.roles import Role
from accounts.staff import acts
from accounts.staff.acts import ActingAdmin, CodeAsked, CodeReasonForm, ReasonForm, StaffAct, check_acts, offer
from tests.tables import in_one_world
from transfers.models import Entry

WHOLE = StaffAct(
    name="praise",
    label="Praise",
    permission="accounts.edit_user",
    explanation="Colleagues read that it is a good one.",
    done="It is praised.",
    carry_out=lambda request, row, **given: None,
    code=CodeAsked.NONE,
)


@pytest.fixture(autouse=True)
def _nothing_stays_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without acts: the acts that the test offers are removed after it."""
    offered: dict[Any, list[StaffAct]] = acts._acts_of
    monkeypatch.setitem(offered, Entry, [])


def faults() -> Iterator[str]:
    return (fault.msg for fault in check_acts() if "Entry" in fault.msg)


def test_a_whole_act_is_offered() -> None:
    offer(Entry, WHOLE)
    assert list(faults()) == []


@in_one_world(
    ("parts", "fault"),
    [
        ({"name": ""}, "it lacks its name"),
        ({"label": ""}, "it lacks its label"),
        ({"permission": ""}, "it lacks its permission"),
        ({"explanation": ""}, "it lacks its explanation"),
        ({"done": ""}, "it lacks its done"),
        ({"code": CodeAsked.EACH, "form": ReasonForm}, "is a CodeReasonForm, and no other is"),
        ({"code": CodeAsked.LATELY, "form": CodeReasonForm}, "is a CodeReasonForm, and no other is"),
    ],
)
def test_an_act_that_lacks_a_part_is_refused(parts: dict[str, Any], fault: str) -> None:
    with pytest.raises(TypeError, match=f"on Entry is not whole: .*{fault}"):
        offer(Entry, replace(WHOLE, **parts))


def test_two_acts_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="The act 'praise' on Entry is not whole: another one is called so"):
        offer(Entry, WHOLE, WHOLE)


def test_the_start_names_where_a_permission_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(Entry, replace(WHOLE, permission="accounts.praise_account"))
    assert list(faults()) == [
        "The act 'praise' on Entry: accounts.praise_account stands in no Meta.permissions of accounts/models.py.",
        "The act 'praise' on Entry: no role has accounts.praise_account: add it to GRANTS in accounts/roles.py, and a "
        "migration that calls grant().",
    ]
    monkeypatch.setitem(roles.GRANTS, Role.ADMIN, (*roles.GRANTS[Role.ADMIN], "accounts.praise_account"))
    assert len(list(faults())) == 1


def test_the_start_names_a_field_that_an_act_changes_and_the_model_lacks() -> None:
    offer(Entry, replace(WHOLE, changes=("is_praised",)))
    assert list(faults()) == ["The act 'praise' on Entry: is_praised is no field of the model, in transfers/models.py."]


class Shown(ActingAdmin):
    fields = ("amount",)


@pytest.mark.django_db
def test_what_an_act_changes_is_shown_and_filtered_by(rf: Any, ada: Any) -> None:
    page, request = Shown(Entry, admin.site), rf.get("/")
    request.user = ada
    offer(Entry, replace(WHOLE, changes=("direction",)), replace(WHOLE, name="forget", changes=("direction",)))
    assert page.get_list_filter(request) == ("direction",)
    assert "direction__exact" in page.parameters()
    assert page.get_fields(request) == ["amount", "direction"]
    people = admin.site._registry[User]
    assert isinstance(people, ActingAdmin)
    assert people.get_fields(request).count("is_active") == 1, "shown once, though an act changes it"
    assert "is_active__exact" in people.parameters()

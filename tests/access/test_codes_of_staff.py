"""Which code of the clerk's own app each act of staff needs (R5.8): for acts that move money one within five minutes,
for acts on people's rights one each time.

The test walks through tables: a new act or operation belongs in one of them.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import UserSession
from accounts.sign_in import fresh_code
from accounts.staff.acts import CodeReasonForm
from audit.models import AuditEntry
from bankproject.api import api
from tests.access.operations import OPERATIONS, asked
from tests.access.staff_area import ACTS, EACH, LATELY, NONE
from tests.access.world import World, acts, name_of
from tests.acts import wrong_code_for
from tests.asvs import proves
from tests.staff_acts import REASON
from tests.staff_acts import fresh_code as code_now

pytestmark = pytest.mark.django_db

OF_THE_API = {act.operation: act.code for act in ACTS.values() if act.operation}


def six_minutes_pass(user: Any) -> None:
    UserSession.objects.filter(user=user).update(code_at=timezone.now() - timedelta(minutes=6))


@proves("V7.5.3")
def test_every_act_of_staff_says_what_code_it_takes() -> None:
    told = {name_of(model, act): act.code for model, act in acts()}
    codes = {name: act.code for name, act in ACTS.items()}
    assert told == codes, "ACTS in tests/access/staff_area.py says what code an act takes"
    # The code of each time is in the form and goes to the service; the other one belongs to the page.
    asks_itself = {name_of(model, act) for model, act in acts() if issubclass(act.form, CodeReasonForm)}
    assert asks_itself == {name for name, code in codes.items() if code == EACH}


def test_every_act_is_in_the_handbook() -> None:
    """docs/staff.md names the button as the page does."""
    handbook = (Path(__file__).resolve().parents[2] / "docs" / "staff.md").read_text(encoding="utf-8")
    assert sorted({act.label for _, act in acts() if act.label not in handbook}) == [], "not in docs/staff.md"


def test_every_operation_of_staff_says_what_code_it_takes() -> None:
    changes = {
        f"{method.upper()} {path.removeprefix('/api/v1/')}"
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method, operation in operations.items()
        if method != "get" and "Staff" in operation["tags"]
    }
    shared = {"POST accounts/{number}/freeze"}  # with the owner of the account, who needs none
    assert changes | shared == set(OF_THE_API), (
        "an operation of staff is that of an act: name it there, in ACTS of tests/access/staff_area.py"
    )


def test_what_moves_money_takes_a_code_after_five_minutes(
    world: World, ada: Any, browser_of: Any, subtests: Any
) -> None:
    browser = browser_of(ada)
    six_minutes_pass(ada)
    for model, act in acts():
        row = world.row_for(model, act)
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/act/{act.name}/"
        with subtests.test(name_of(model, act)):
            assert ("code" in browser.get(address).context["form"].fields) == (act.code != NONE)


@proves("V7.5.3")
def test_one_code_is_good_for_five_minutes_in_this_session_alone(
    world: World, ada: Any, browser_of: Any, settings: Any
) -> None:
    browser, other = browser_of(ada), browser_of(ada)
    six_minutes_pass(ada)
    page = f"/admin/transfers/transferorder/{world.held.pk}/act/reject/"
    code = code_now(ada)
    assert "data-error-summary" in browser.post(page, {"reason": REASON}).content.decode()
    wrong = browser.post(page, {"reason": REASON, "code": wrong_code_for(code)})
    assert "code" in wrong.context["form"].errors
    assert AuditEntry.objects.filter(action="CODE_REFUSED", actor_id=ada.pk).exists()
    world.held.refresh_from_db()
    assert world.held.state == "held"
    assert browser.post(page, {"reason": REASON, "code": code_now(ada)}).status_code == 302
    frozen = f"/admin/accounts/bankaccount/{world.account.pk}/act/freeze/"
    assert "code" not in browser.get(frozen).context["form"].fields
    assert "code" in other.get(frozen).context["form"].fields, "another session has its own clock"
    assert browser.post(frozen, {"reason": REASON}).status_code == 302
    settings.STAFF_CODE_SECONDS = 1
    unfreeze = f"/admin/accounts/bankaccount/{world.account.pk}/act/unfreeze/"
    # Neither does one that a clock noted which has since been set back: it would count for an hour and five minutes.
    for given_at in (timezone.now() - timedelta(seconds=2), timezone.now() + timedelta(hours=1)):
        UserSession.objects.update(code_at=given_at)
        assert "code" in browser.get(unfreeze).context["form"].fields


def test_a_code_that_was_good_is_not_asked_for_again_when_the_service_refuses(
    world: World, ada: Any, browser_of: Any
) -> None:
    browser = browser_of(ada)
    six_minutes_pass(ada)
    page = f"/admin/transfers/transferorder/{world.held.pk}/act/reject/"
    answer = browser.post(page, {"reason": "\u200b", "code": code_now(ada)})
    assert answer.status_code == 200
    assert "Say why" in str(answer.context["form"].errors)
    assert "code" not in answer.context["form"].fields
    assert fresh_code.was_given_lately(UserSession.objects.get(user=ada).public_id)
    assert browser.post(page, {"reason": REASON}).status_code == 302


def test_a_form_that_is_not_whole_uses_up_no_code(world: World, ada: Any, browser_of: Any) -> None:
    browser = browser_of(ada)
    six_minutes_pass(ada)
    page, code = f"/admin/transfers/transferorder/{world.held.pk}/act/reject/", code_now(ada)
    assert "reason" in browser.post(page, {"reason": "", "code": code}).context["form"].errors
    assert browser.post(page, {"reason": REASON, "code": code}).status_code == 302


@proves("V7.5.3")
def test_programs_of_staff_give_codes_as_the_pages_do(world: World, ada: Any, api_of: Any, subtests: Any) -> None:
    program = api_of(ada)
    six_minutes_pass(ada)
    for name, code in OF_THE_API.items():
        assert name in OPERATIONS
        method, path = name.split()
        with subtests.test(name):
            answer = program.send(
                method,
                path.format(**world.names),
                b'{"reason": "Asked for on the phone."}' if "role" not in path else b'{"reason": "x", "role": "Admin"}',
                Idempotency_Key="a-key-of-this-test",
            )
            if code == LATELY:
                assert (answer.status_code, answer.json()["code"]) == (403, "code_needed")
            elif code == EACH:
                assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "code")
            else:
                assert answer.status_code < 300


def test_a_code_in_the_body_counts_for_the_next_five_minutes_of_the_program(
    world: World, ada: Any, api_of: Any
) -> None:
    program = api_of(ada)
    six_minutes_pass(ada)
    number = world.account.number
    given = {"reason": REASON, "code": code_now(ada)}
    assert program.post(f"accounts/{number}/freeze", given).status_code == 204
    assert program.post(f"accounts/{number}/unfreeze", {"reason": REASON}).status_code == 204


def test_a_sign_in_is_a_code_that_was_just_given(world: World, ada: Any, api_of: Any) -> None:
    # Both factors were given a moment ago: no test waits for the next half minute.
    program = api_of(ada)
    assert asked(program, "POST accounts/{number}/freeze", None, world.names).status_code == 422
    assert program.post(f"accounts/{world.account.number}/freeze", {"reason": REASON}).status_code == 204

"""Requests that the firewall must let through: honest people and programs, as they really write (R8.4)."""

import secrets
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from foundation.limiter import limiter
from support.models import MAX_MESSAGE_CHARS, ServiceRequest, Ticket
from tests.asvs import proves
from tests.firewall import honest
from tests.firewall.visitor import Answer, Visitor
from tests.plugin import PASSWORD
from tests.staff_acts import fresh_code

LIMITS = ("TICKETS_PER_HOUR", "TICKET_REPLIES_PER_HOUR", "REQUESTS_PER_HOUR", "REGISTRATIONS_PER_HOUR")


@pytest.fixture(autouse=True)
def _roomy_limits(settings: Any) -> None:
    for name in LIMITS:
        setattr(settings, name, 1000)


def stopped(answers: dict[Any, Answer]) -> dict[Any, int]:
    """Return the requests that the bank did not answer itself, with the firewall's status."""
    return {name: answer.status for name, answer in answers.items() if not answer.reached_bank or answer.status >= 500}


def test_somebody_signs_in_through_the_firewall(
    visitor: Callable[..., Visitor], alice: Any, code_of: Callable[[Any], str]
) -> None:
    browser = visitor()
    browser.read_token(browser.get("/sign-in/"))
    assert browser.post("/sign-in/", {"email": alice.email, "password": PASSWORD}).status == 302
    browser.read_token(browser.get("/sign-in/code/"))
    assert browser.post("/sign-in/code/", {"code": code_of(alice)}).status == 302
    assert "Alice" in browser.get("/profile/").text


def test_what_people_write_arrives_as_they_wrote_it(signed_in: Callable[[Any], Visitor], alice: Any) -> None:
    browser = signed_in(alice)
    answers = {}
    for text in honest.TEXTS:
        form = {"subject": text.splitlines()[0][:60], "text": text, "reference": "", "key": str(uuid.uuid4())}
        answers[text] = browser.post("/help/messages/new/", form)
    assert stopped(answers) == {}
    assert {text: answer.status for text, answer in answers.items() if answer.status != 302} == {}
    messages = {ticket.messages.get().text for ticket in Ticket.objects.all()}
    assert messages == set(honest.TEXTS)


@proves("V6.2.5")
def test_what_people_write_on_payments_passes(
    signed_in: Callable[[Any], Visitor], alice: Any, open_account: Callable[..., Any]
) -> None:
    browser = signed_in(alice)
    source, target = open_account(alice, "100.00"), open_account(alice)
    form = {"source": str(source.public_id), "target": str(target.public_id), "amount": "12.50"}
    pages = {
        "own": ("/transfer/own/", form),
        "send": ("/transfer/send/", {"source": form["source"], "number": "DE12 3456", "amount": "12.50"}),
        "deposit": (f"/accounts/{source.public_id}/deposit/", {"amount": "5.00"}),
    }
    answers = {
        (name, text): browser.post(path, fields | {"description": text})
        for name, (path, fields) in pages.items()
        for text in (honest.TEXTS if name == "own" else honest.TEXTS[:5])
    }
    assert stopped(answers) == {}


def test_names_of_the_world_are_asked_for(signed_in: Callable[[Any], Visitor], alice: Any) -> None:
    browser = signed_in(alice)
    answers = {}
    for first_name, last_name in honest.NAMES:
        address = f"c/o {last_name}; 3 Rue de l'Étoile & co, bât. B\n75001 Paris"
        wanted = {"first_name": first_name, "last_name": last_name, "address": address}
        form = wanted | {"reason": "I'm married; here's the certificate"}
        answers[first_name] = browser.post("/help/requests/new/?kind=update_identity", form)
        asked = ServiceRequest.objects.get(state="pending")
        assert asked.opened == wanted, answers[first_name].status
        answers[f"not {first_name}"] = browser.post(f"/help/requests/{asked.public_id}/cancel/", {})
    assert stopped(answers) == {}


def test_addresses_of_the_world_are_stored(signed_in: Callable[[Any], Visitor], alice: Any) -> None:
    browser = signed_in(alice)
    answers = {}
    for _, last_name in honest.NAMES:
        address = f"c/o {last_name}; 3 Rue de l'Étoile & co, bât. B\n75001 Paris"
        limiter.clear_all("details:")  # nobody moves so often
        form = {"phone": "+353 1 555 0101", "address": address, "code": fresh_code(alice)}
        answers[last_name] = browser.post("/profile/details/", form)
        browser.read_token(browser.get("/profile/"))
        assert User.objects.get(pk=alice.pk).address == address, answers[last_name].status
    assert stopped(answers) == {}


def test_newcomers_register(visitor: Callable[..., Visitor]) -> None:
    browser = visitor()
    browser.read_token(browser.get("/register/"))
    answers = {}
    for first_name, last_name in honest.NAMES:
        form = {"first_name": first_name, "last_name": last_name, "email": f"{secrets.token_hex(4)}@example.com"}
        contact = {"phone": "+49 30 5550101", "address": "Lindenallee 4; Hof\nBerlin"}
        passwords = dict.fromkeys(("password1", "password2"), "it's; <b>a</b> 'long' -- one")
        answers[first_name] = browser.post("/register/", form | contact | passwords)
    assert stopped(answers) == {}


@proves("V6.2.5")
def test_a_password_may_be_anything(visitor: Callable[..., Visitor], alice: Any) -> None:
    browser = visitor()
    browser.read_token(browser.get("/sign-in/"))
    form = {"email": alice.email}
    assert stopped({text: browser.post("/sign-in/", form | {"password": text}) for text in honest.PASSWORDS}) == {}


def test_the_history_is_filtered(
    signed_in: Callable[[Any], Visitor], alice: Any, open_account: Callable[..., Any]
) -> None:
    open_account(alice, "100.00")
    browser = signed_in(alice)
    answers = {str(filters): browser.get("/history/", filters) for filters in honest.HISTORY_FILTERS}
    assert stopped(answers) == {}


def test_staff_search_and_filter_their_lists(signed_in: Callable[[Any], Visitor], ada: Any) -> None:
    browser = signed_in(ada)
    assert stopped({(path, str(query)): browser.get(path, query) for path, query in honest.STAFF_LISTS}) == {}


def test_staff_act_with_reasons(signed_in: Callable[[Any], Visitor], ada: Any, alice: Any, open_account: Any) -> None:
    browser = signed_in(ada)
    account = open_account(alice, "100.00")
    person = {"first_name": "Sinéad", "last_name": "O'Brien", "address": "3 Rue de l'Étoile; bât. B", "phone": "+1"}
    acts = {
        reverse("admin:accounts_user_act", args=[alice.pk, "edit"]): person | {"email": "o'brien@example.com"},
        reverse("admin:accounts_user_act", args=[alice.pk, "lock"]): {"code": "123456", "admin_key": "' OR 1=1 --"},
        reverse("admin:accounts_user_act", args=[alice.pk, "role"]): {"code": "123456", "role": "support"},
        reverse("admin:accounts_bankaccount_act", args=[account.pk, "freeze"]): {"code": "123456"},
        reverse("admin:accounts_bankaccount_act", args=[account.pk, "deposit"]): {"amount": "1,000.00"},
    }
    answers = {
        (path, reason): browser.post(path, form | {"reason": reason})
        for path, form in acts.items()
        for reason in honest.REASONS
    }
    assert stopped(answers) == {}


@proves("V6.2.5")
def test_programs_talk_to_the_api(visitor: Callable[..., Visitor]) -> None:
    program = visitor()
    answers = {
        f"{method} {path} {body}": program.send(path, body, method, **{"User-Agent": "python-httpx/0.28"})
        for method, path, body in honest.API
    }
    answers["DELETE"] = program.ask("DELETE", "/api/v1/payees/1", headers={"Authorization": "Bearer eyJ.eyJ.x-_"})
    answers["GET"] = program.ask("GET", "/api/v1/history?cursor=abc-_123&text=O%27Brien&min_amount=1.50")
    assert stopped(answers) == {}
    assert "firewall" not in " ".join(answer.text for answer in answers.values())


def test_a_long_message_passes(signed_in: Callable[[Any], Visitor], alice: Any) -> None:
    browser = signed_in(alice)
    text = "It's a long story; see below -- O'Brien & sons said (50%): select one, drop the other.\n" * 100
    form = {"subject": "Long", "text": text[:MAX_MESSAGE_CHARS].strip(), "key": str(uuid.uuid4())}
    assert browser.post("/help/messages/new/", form).status == 302


def test_reports_of_browsers_and_odd_addresses_pass(visitor: Callable[..., Visitor]) -> None:
    browser = visitor()
    answers = {path: browser.get(path) for path in honest.PATHS}
    answers |= {
        kind: browser.send("/csp-reports/", report, **{"Content-Type": kind}) for kind, report in honest.REPORTS
    }
    assert stopped(answers) == {}
    assert [answers[kind].status for kind, _ in honest.REPORTS] == [204, 204]

"""A person has an account number and a list of the forty commonest names (R3.6)."""

from collections.abc import Callable
from typing import Any

from django.urls import reverse

from accounts.models import BankAccount
from tests.api_client import told
from tests.asvs import proves
from transfers.models import TransferOrder

GIVEN = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo")
SURNAMES = ("Meyer", "Smith", "Novak", "Jensen", "Rossi")
FORTY = [f"{given} {surname}" for surname in SURNAMES for given in GIVEN]


def ask(api: Any, account: BankAccount, name: str) -> tuple[str, str]:
    found = api.post("payees/lookup", {"number": account.number, "name": name}).json()
    return found["name_check"], found["name"]


@proves("V2.4.1")
def test_five_are_answered_and_the_right_one_behind_them_is_not(
    charlie: Any, make_user: Callable, open_account: Callable, api_of: Callable, browser_of: Callable, settings: Any
) -> None:
    """By look-up, by payment and by the pages: one count for all of them, and nothing is found out."""
    settings.PAYEE_LOOKUPS_PER_HOUR = 200
    settings.TRANSFERS_PER_MINUTE = 200
    victim = make_user("Hugo", last_name="Rossi", email="hugo@example.com")
    account, his = open_account(victim), open_account(charlie, "10.00")
    api = api_of(charlie)
    assert FORTY[-1] == "Hugo Rossi"
    answers = [ask(api, account, name) for name in FORTY]
    assert [check for check, _ in answers] == ["no_match"] * 5 + ["not_checked"] * 35
    assert [name for _, name in answers] == FORTY, "he reads what he sent"

    body = {"amount": "0.01", "to": account.number, "name": "Hugo Rossi"}
    refused = api.post(f"accounts/{his.number}/transfer", body, Idempotency_Key="the-right-one-at-last")
    assert told(refused) == (422, "name_not_confirmed")
    assert refused.json()["name_check"] == "not_checked"
    form = {"source": his.public_id, "number": account.number, "name": "Hugo Rossi", "amount": "0.01"}
    browser = browser_of(charlie)
    page = browser.get(browser.post(reverse("transfer_send"), form)["Location"])
    assert "We couldn’t check the name." in page.content.decode()
    assert "The name matches." not in page.content.decode()
    assert not TransferOrder.objects.filter(kind="payment").exists()


def test_many_names_in_one_do_not_count_as_one_guess(
    charlie: Any, make_user: Callable, open_account: Callable, api_of: Callable
) -> None:
    victim = make_user("Hugo", last_name="Rossi", email="hugo@example.com")
    account, api = open_account(victim), api_of(charlie)
    assert ask(api, account, " ".join((*GIVEN, "Rossi")))[0] == "no_match"
    assert ask(api, account, "Rossi " + " ".join(GIVEN[4:]))[0] == "no_match"
    assert ask(api, account, "Rossi")[0] == "no_match"
    assert ask(api, account, "H. Rossi")[0] == "no_match"

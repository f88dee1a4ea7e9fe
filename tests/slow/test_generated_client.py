"""A client that a generator makes of the served document signs in, reads, and gets errors as objects (R7.5): what most
programs begin with."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from accounts.models import TotpDevice
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "client_of_the_bank"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`made("api.signing_in.login")`: a module of the client. The generator had nothing to complain about."""
    document = tmp_path / "openapi.json"
    document.write_bytes(Client().get("/api/v1/openapi.json").content)
    config = Config.from_sources(
        ConfigFile(post_hooks=[], content_type_overrides={"application/pdf": "application/octet-stream"}),
        MetaType.NONE,
        document,
        "utf-8",
        overwrite=False,
        output_path=tmp_path / NAME,
    )
    assert [f"{error.header}: {error.detail}" for error in generate(config=config)] == []
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: importlib.import_module(f"{NAME}.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def test_it_signs_in_and_reads_accounts(
    made: Any, live_server: Any, alice: Any, open_account: Any, code_of: Any
) -> None:
    account, models = open_account(alice, "12.50", nickname="Trips"), made("models")
    login = made("api.signing_in.login").sync
    with made("client").Client(base_url=live_server.url) as visitor:
        wrong = login(client=visitor, body=models.PasswordSignInIn(alice.email, "not the password", code_of(alice)))
        assert isinstance(wrong, models.Problem)
        assert (wrong.status, wrong.code) == (401, "sign_in_refused")
        TotpDevice.objects.update(last_step=-1)
        tokens = login(client=visitor, body=models.PasswordSignInIn(alice.email, PASSWORD, code_of(alice)))
        assert isinstance(tokens, models.TokensOut)

    with made("client").AuthenticatedClient(base_url=live_server.url, token=tokens.access_token) as program:
        found = made("api.accounts_and_money.accounts").sync(client=program)
        assert [(one.number, one.balance, one.nickname, one.closed_at) for one in found.items] == [
            (account.number, "12.50", "Trips", None)
        ]
        # A filter is of a kind of its own; what is not set is not sent.
        transactions = made("api.accounts_and_money.transactions")
        kind = made("models.transactions_type").TransactionsType.DEPOSIT
        assert [one.amount for one in transactions.sync(client=program, type_=kind).items] == ["12.50"]
        opening = models.OpenAccountIn(kind=models.OpenAccountInKind.SAVINGS)
        opened = made("api.accounts_and_money.open_account").sync(
            client=program, body=opening, idempotency_key="a-key-of-a-program"
        )
        assert (opened.kind, opened.balance) == ("savings", "0.00")


def test_a_field_that_is_not_valid_is_named_in_the_error(made: Any, live_server: Any, alice: Any, api_of: Any) -> None:
    models = made("models")
    token = api_of(alice).tokens.access_token
    with made("client").AuthenticatedClient(base_url=live_server.url, token=token) as program:
        answer = made("api.payees.look_up_payee").sync_detailed(client=program, body=models.LookupIn(number="12345"))
    assert answer.status_code == 422
    [error] = answer.parsed.errors
    assert (answer.parsed.code, error.field, error.code) == ("invalid", "number", "invalid_account_number")

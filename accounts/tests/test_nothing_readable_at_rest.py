"""What must not be readable in the database file, and what mails and the audit log must not say (R8.1, R6.2, issue
shows 7)."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from accounts.models import BankAccount, Registration, TotpDevice, User
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.acts import NEWCOMER, give_code, give_password, held_in, link_for, mails, register
from tests.asvs import proves
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db

# The tokens of links: each in the one mail that is for it, and nowhere else in clear.
TOKENS = {
    "token of the link": "Confirm your e-mail address",
    "token of the reset link": "Choose a new password",
    "token of the change of e-mail": "Confirm your new e-mail address",
}
PIN = "805913"
CODES = re.compile(r"<li>([2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4})</li>")


def bank_a_day(client: Client, code_of: Any) -> dict[str, str]:
    """Let Nora register, enrol, open two accounts, move money and close one; return what must stay secret."""
    register(client)
    link = link_for(NEWCOMER["email"])
    client.post(link, {"password": PASSWORD})
    client.get("/two-factor/enrol/")
    nora = User.objects.get(email=NEWCOMER["email"])
    secret = TotpDevice.objects.get(user=nora).key
    page = client.post("/two-factor/enrol/", {"code": code_of(nora)}, follow=True)
    codes = CODES.findall(page.content.decode())
    assert len(codes) == 10
    for kind, deposit in (("checking", "50.00"), ("savings", "0")):
        client.post("/accounts/open/", {"key": str(uuid4()), "kind": kind, "opening_deposit": deposit})
    first, second = BankAccount.objects.filter(owner=nora).order_by("id")
    taken = client.post(f"/accounts/{first.public_id}/withdraw/", {"amount": "1.00"})
    assert client.post(taken["Location"]).status_code == 302
    review = client.post("/transfer/send/", {"source": str(first.public_id), "number": second.number, "amount": "2.00"})
    assert review.status_code == 302, review.content.decode()
    client.get(review["Location"])
    assert client.post(review["Location"]).status_code == 302
    client.post("/transfer/send/", {"source": str(first.public_id), "number": second.number, "amount": "99999"})
    client.post("/sign-out/")
    give_password(client, nora.email, "wrong password here")
    give_password(client, nora.email)
    give_code(client, codes[0])
    return change_ways_to_sign_in(client, nora, code_of) | {
        "phone": NEWCOMER["phone"],
        "street": "Hafenstraße",
        "town": "20359 Hamburg",
        "number of the first account": first.number,
        "number of the second account": second.number,
        "number as written": first.number_grouped,
        "TOTP secret, hex": secret,
        "TOTP secret, base32": base64.b32encode(bytes.fromhex(secret)).decode(),
        "TOTP secret, base64": base64.b64encode(bytes.fromhex(secret)).decode().rstrip("="),
        "password": PASSWORD,
        "wrong password": "wrong password here",
        "recovery code": codes[1],
        "recovery code without hyphens": codes[1].replace("-", ""),
        "secret part of a recovery code": codes[1].partition("-")[2].replace("-", ""),
        "token of the link": token_in(link),
    }


def change_ways_to_sign_in(client: Client, nora: User, code_of: Any) -> dict[str, str]:
    """Let Nora, signed in, set a PIN and ask for another address, and a visitor ask for a new password for her."""

    def code() -> str:
        TotpDevice.objects.filter(user=nora).update(last_step=-1)  # as if half a minute had passed
        return code_of(nora)

    assert client.post("/profile/pin/", {"pin": PIN, "pin_again": PIN, "code": code()}).status_code == 302
    wanted = {"email": "nora@elsewhere.example", "password": PASSWORD, "code": code()}
    assert client.post("/profile/email/", wanted).status_code == 302
    change = link_for(wanted["email"])
    assert Client().post("/password/forgot/", {"email": nora.email}).status_code == 302
    return {
        "PIN": PIN,
        "token of the change of e-mail": token_in(change),
        "token of the reset link": token_in(link_for(nora.email)),
    }


def token_in(link: str) -> str:
    return link.strip("/").rpartition("/")[2]


def found_in(text: str, secrets: dict[str, str]) -> set[str]:
    """Return which of them are in `text`. Six digits occur by chance in fractions of a second and in hex numbers."""
    by_chance = re.compile(rf"(?<![\w.]){PIN}(?!\w)", re.ASCII)
    return {what for what, secret in secrets.items() if (by_chance.search(text) if secret == PIN else secret in text)}


@proves("V11.3.2", "V14.2.4")
@pytest.mark.django_db(transaction=True)
def test_the_database_file_and_its_log_hold_nothing_readable(client: Client, code_of: Any) -> None:
    # R8.1: a stolen disk, backup or log file.
    if connection.vendor != "sqlite":
        pytest.skip("reads the file of the embedded database")
    secrets = bank_a_day(client, code_of)
    # The one place that must carry a link is the mail itself.
    secrets = {what: secret for what, secret in secrets.items() if what not in TOKENS}
    name = str(connection.settings_dict["NAME"])
    # By another process: when one of ours closes the file, SQLite's locks on it are gone (POSIX), and the next program
    # that ends takes the log away from under our open connections.
    files = [path for path in (name, name + "-wal") if Path(path).exists()]
    raw = subprocess.run(["cat", *files], capture_output=True, check=True).stdout
    assert b"nora@example.com" in raw, "the file was not the right one"
    # Latin-1 has a letter for each byte; the secrets are written as the file has them.
    as_bytes = {what: secret.encode().decode("latin-1") for what, secret in secrets.items()}
    assert found_in(raw.decode("latin-1"), as_bytes) == set()
    key = bytes.fromhex(secrets["TOTP secret, hex"])
    assert key not in raw


@proves("V11.3.2", "V11.3.4")
def test_what_the_orm_reads_back_is_sealed_in_every_column(client: Client, code_of: Any) -> None:
    # R8.1: the same on any engine, table by table. Only the mail queue carries the links, which it delivers.
    secrets = bank_a_day(client, code_of)
    found = set()
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            text = repr(cursor.fetchall())
        found |= {(table, what) for what in found_in(text, secrets)}
    assert found == {("post_office_email", token) for token in TOKENS}


@proves("V14.2.6")
def test_mails_carry_masked_numbers_only(client: Client, code_of: Any) -> None:
    # R3.8, issue shows 7
    secrets = bank_a_day(client, code_of)
    tokens = {what: secrets.pop(what) for what in TOKENS}
    sent = mails()
    assert {"Confirm your e-mail address", "Your new account is open"} <= {mail.subject for mail in sent}
    for mail in sent:
        text = mail.subject + mail.message + mail.html_message
        assert found_in(text, secrets) == set(), mail.subject
        assert found_in(text, tokens) == {what for what, subject in TOKENS.items() if subject == mail.subject}


@proves("V16.2.5")
def test_the_audit_log_holds_no_number_phone_address_or_secret(client: Client, code_of: Any) -> None:
    # R6.2
    secrets = bank_a_day(client, code_of)
    entries = list(AuditEntry.objects.values())
    actions = {entry["action"] for entry in entries}
    assert actions >= {
        *("REGISTER_REQUESTED", "REGISTER_SUCCESS", "TWO_FACTOR_ENABLED", "LOGIN_SUCCESS", "LOGIN_FAILURE"),
        *("LOGOUT", "RECOVERY_CODE_USED", "ACCOUNT_CREATED", "DEPOSIT_CREATED", "WITHDRAWAL_CREATED"),
        *("TRANSFER_CREATED", "PIN_CHANGED", "EMAIL_CHANGE_REQUESTED", "PASSWORD_RESET_REQUESTED"),
    }
    text = json.dumps(entries, default=str, ensure_ascii=False)
    assert found_in(text, secrets) == set()
    # Everything that looks like a whole account number.
    assert [run for run in re.findall(r"(?<![\w-])\d{12}(?![\w-])", text) if int(run) % 97 == 1] == []


@proves("V14.2.4")
def test_sessions_hold_no_account_number_and_no_secret(client: Client, code_of: Any) -> None:
    # R8.1: sessions are in the database as signed text that anybody can read.
    secrets = bank_a_day(client, code_of)
    text = "".join(json.dumps(held_in(session), ensure_ascii=False) for session in Session.objects.all())
    assert "user_session" in text
    assert found_in(text, secrets) == set()


@proves("V16.2.5")
def test_logs_hold_no_secret(client: Client, code_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    # R9.5
    with caplog.at_level("DEBUG"):
        secrets = bank_a_day(client, code_of)
    # Django's SQL debug log is off in production: it does log values.
    text = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    assert found_in(text, secrets) == set()


def test_a_registration_that_waits_is_sealed_too(client: Client) -> None:
    # R8.1: the person has not even become a customer.
    register(client)
    row = Registration.objects.get()
    assert str(row).startswith("nora@example.com until 20")
    assert row.phone == NEWCOMER["phone"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_registration")
        text = repr(cursor.fetchall())
        cursor.execute("SELECT * FROM foundation_outboxmessage")
        outbox = repr(cursor.fetchall())
    assert not any(secret in text for secret in (NEWCOMER["phone"], "Hafenstraße", PASSWORD))
    # The payload carries the link's token: a read of the database must not yield a working link.
    token = json.loads(OutboxMessage.objects.get().payload)["token"]
    assert token not in outbox
    assert token not in text

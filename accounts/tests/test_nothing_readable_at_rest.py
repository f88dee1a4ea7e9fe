"""What must not be readable in the database file, nor told by mails and the audit log (R8.1, R6.2, issue shows 7)."""

import base64
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from accounts.models import BankAccount, OutboxMessage, Registration, TotpDevice, User
from audit.models import AuditEntry
from tests.acts import NEWCOMER, give_code, give_password, link_for, mails, register
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db

CODES = re.compile(r"<li>([2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4})</li>")


def bank_a_day(client: Client, code_of: Any) -> dict[str, str]:
    """Nora registers, enrols, opens two accounts, moves money and closes one; returns what must stay secret."""
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
    client.post(f"/accounts/{first.public_id}/withdraw/", {"key": str(uuid4()), "amount": "1.00"})
    review = client.post("/transfer/send/", {"source": str(first.public_id), "number": second.number, "amount": "2.00"})
    assert review.status_code == 302, review.content.decode()
    client.get(review["Location"])
    assert client.post(review["Location"]).status_code == 302
    client.post("/transfer/send/", {"source": str(first.public_id), "number": second.number, "amount": "99999"})
    client.post("/sign-out/")
    give_password(client, nora.email, "wrong password here")
    give_password(client, nora.email)
    give_code(client, codes[0])
    return {
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
        "token of the link": link.strip("/").rpartition("/")[2],
    }


@pytest.mark.django_db(transaction=True)
def test_the_database_file_and_its_log_hold_nothing_readable(client: Client, code_of: Any) -> None:
    # R8.1: a stolen disk, backup or log file.
    if connection.vendor != "sqlite":
        pytest.skip("reads the file of the embedded database")
    secrets = bank_a_day(client, code_of)
    # The one place that must carry the link is the mail itself.
    secrets.pop("token of the link")
    name = str(connection.settings_dict["NAME"])
    raw = b"".join(path.read_bytes() for path in (Path(name), Path(name + "-wal")) if path.exists())
    assert b"nora@example.com" in raw, "the file was not the right one"
    assert {what for what, text in secrets.items() if text.encode() in raw} == set()
    key = bytes.fromhex(secrets["TOTP secret, hex"])
    assert key not in raw


def test_what_the_orm_reads_back_is_sealed_in_every_column(client: Client, code_of: Any) -> None:
    # R8.1: the same on any engine, table by table. The mail queue alone carries the link that it is for.
    secrets = bank_a_day(client, code_of)
    found = set()
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            text = repr(cursor.fetchall())
        found |= {(table, what) for what, secret in secrets.items() if secret in text}
    assert found == {("post_office_email", "token of the link")}


def test_mails_carry_masked_numbers_only(client: Client, code_of: Any) -> None:
    # R3.8, issue shows 7
    secrets = bank_a_day(client, code_of)
    link = secrets.pop("token of the link")
    sent = mails()
    assert {"Confirm your e-mail address", "Your new account is open"} <= {mail.subject for mail in sent}
    for mail in sent:
        text = mail.subject + mail.message + mail.html_message
        assert {what for what, secret in secrets.items() if secret in text} == set(), mail.subject
        assert (link in text) == (mail.subject == "Confirm your e-mail address")


def test_the_audit_log_holds_no_number_phone_address_or_secret(client: Client, code_of: Any) -> None:
    # R6.2
    secrets = bank_a_day(client, code_of)
    entries = list(AuditEntry.objects.values())
    actions = {entry["action"] for entry in entries}
    assert actions >= {
        *("REGISTER_REQUESTED", "REGISTER_SUCCESS", "TWO_FACTOR_ENABLED", "LOGIN_SUCCESS", "LOGIN_FAILURE"),
        *("LOGOUT", "RECOVERY_CODE_USED", "ACCOUNT_CREATED", "DEPOSIT_CREATED", "WITHDRAWAL_CREATED"),
        "TRANSFER_CREATED",
    }
    text = json.dumps(entries, default=str, ensure_ascii=False)
    assert {what for what, secret in secrets.items() if secret in text} == set()
    # Whatever looks like a whole account number, however it came there.
    assert [run for run in re.findall(r"(?<![\w-])\d{12}(?![\w-])", text) if int(run) % 97 == 1] == []


def test_sessions_hold_no_account_number_and_no_secret(client: Client, code_of: Any) -> None:
    # R8.1: sessions lie in the database as signed text that anybody can read.
    secrets = bank_a_day(client, code_of)
    text = "".join(json.dumps(session.get_decoded(), ensure_ascii=False) for session in Session.objects.all())
    assert text
    assert {what for what, secret in secrets.items() if secret in text} == set()


def test_logs_hold_no_secret(client: Client, code_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    # R9.5
    with caplog.at_level("DEBUG"):
        secrets = bank_a_day(client, code_of)
    # The SQL debug log of Django is off in production: it is what it is called.
    text = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    assert {what for what, secret in secrets.items() if secret in text} == set()


def test_a_registration_that_waits_is_sealed_too(client: Client) -> None:
    # R8.1: the person has not even become a customer.
    register(client)
    row = Registration.objects.get()
    assert str(row).startswith("nora@example.com until 20")
    assert row.phone == NEWCOMER["phone"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_registration")
        text = repr(cursor.fetchall())
        cursor.execute("SELECT * FROM accounts_outboxmessage")
        outbox = repr(cursor.fetchall())
    assert not any(secret in text for secret in (NEWCOMER["phone"], "Hafenstraße", PASSWORD))
    # The payload carries the link's token: a read of the database must not yield a working link.
    token = json.loads(OutboxMessage.objects.get().payload)["token"]
    assert token not in outbox
    assert token not in text

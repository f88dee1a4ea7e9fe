"""Acts of many tests: sign in, register, read mail, guess."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from typing import Any, TypeVar

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.sessions.models import Session
from django.contrib.sessions.serializers import JSONSerializer
from django.core import signing
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from django.utils import timezone

from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions.engine import salt_of
from tests.plugin import PASSWORD

R = TypeVar("R")

WRONG_PASSWORD = "not the password at all"

NEWCOMER = {
    "first_name": "Nora",
    "last_name": "Newton",
    "email": "nora@example.com",
    "phone": "+49 40 5550199",
    "address": "Hafenstraße 9\n20359 Hamburg",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


def give_password(client: Client, email: str, password: str = PASSWORD, **extra: Any) -> Any:
    """Return the first step of signing in; `extra` are WSGI names such as REMOTE_ADDR."""
    return client.post("/sign-in/", {"email": email, "password": password}, **extra)


def give_code(client: Client, code: str, **extra: Any) -> Any:
    return client.post("/sign-in/code/", {"code": code}, **extra)


def is_signed_in(client: Client, page: str = "/password/") -> bool:
    """Return whether the bank lets this browser see a page that needs both factors."""
    return client.get(page).status_code == 200


def held_in(row: Session) -> dict[str, Any]:
    """Return the content of a row of the table of sessions, whose cookie need not be known."""
    return signing.loads(row.session_data, salt=salt_of(row.session_key), serializer=JSONSerializer)


def put_into(row: Session, held: dict[str, Any]) -> None:
    row.session_data = signing.dumps(held, salt=salt_of(row.session_key), serializer=JSONSerializer)
    row.save(update_fields=["session_data"])


def copy_of(browser: Client) -> Client:
    """Return another person with a copy of this browser's cookie."""
    thief = Client()
    thief.cookies["sessionid"] = browser.cookies["sessionid"].value
    return thief


def wrong_code_for(code: str) -> str:
    """Return six digits that are neither this code nor one of the neighbouring steps'."""
    return f"{(int(code) + 111_111) % 1_000_000:06d}"


def register(client: Client, **changes: str) -> Any:
    return client.post("/register/", NEWCOMER | changes)


def mails(to: str = "") -> list[Any]:
    """Return the mails rendered so far, oldest first, after rendering those that wait in the outbox."""
    from post_office.models import Email

    from foundation import outbox

    outbox.expand_waiting()
    return [mail for mail in Email.objects.order_by("id") if to in ("", *mail.to)]


def mails_of(event: str, **payload: Any) -> list[Any]:
    """Return the mails that would be written of one event."""
    from foundation import outbox

    [mails] = outbox.mails_of([(event, payload)])
    return mails


def link_for(email: str) -> str:
    """Return the path in the newest mail to `email`."""
    found = re.search(r"http://testserver(/\S+)", mails(email)[-1].message)
    assert found, "the mail holds no link"
    return found.group(1)


def know(customer: Any, account: Any) -> Any:
    """Let this customer have paid that account before, so that it is not a new payee of theirs (R3.6)."""
    from transfers.models import Payee

    now = timezone.now()
    return Payee.objects.create(customer=customer, account=account, first_paid_at=now, last_paid_at=now)


def vouch(user: Any) -> None:
    """Confirm what waits for a code of this user: codes are new every half minute, and tests do not wait for that."""
    from transfers.models import StepUpChallenge

    StepUpChallenge.objects.filter(customer=user, verified_at__isnull=True).update(verified_at=timezone.now())


def by_name() -> Any:
    """Return the payee's name, as the check confirms it (R3.6)."""
    from transfers.models import NameCheck
    from transfers.orders.payee_names import NameGiven

    return NameGiven("", NameCheck.MATCH)


@contextmanager
def any_cash(customer: Any) -> Iterator[None]:
    """Let this customer pay in any amount meanwhile, and count nothing of it: how tests get money."""
    from tests import cast

    much = Decimal(10**12)
    with override_settings(CASH_IN_DAILY_LIMIT=much, ALERT_AMOUNT=much, SUSPICIOUS_AMOUNT=much):
        used = cast.cash_in_of(customer)
        yield
        cast.set_cash_in(customer, used)


def deposit(**payment: Any) -> Any:
    """Pay in any amount of cash, as if long ago."""
    from transfers.orders import cash

    with any_cash(payment["actor"]):
        return cash.deposit(**payment)


def transfer(**payment: Any) -> Any:
    """Send money by the payee's own name, with a code if the bank asks for one (R3.6)."""
    from transfers.orders import sending

    return _with_code(sending.transfer, {"name_given": by_name()} | payment)


def withdraw(**payment: Any) -> Any:
    """Take cash out, with a code if the bank asks for one (R3.6)."""
    from transfers.orders import cash

    return _with_code(cash.withdraw, payment)


def _with_code(service: Callable[..., Any], payment: dict[str, Any]) -> Any:
    from transfers.orders.step_up import Proof, StepUpRequired

    try:
        return service(**payment)
    except StepUpRequired as need:
        vouch(payment["actor"])
        proof = Proof(Origin(), need.challenge.public_id, "")
        return service(**payment, proof=proof)


@contextmanager
def hashing(before: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
    """Record each run of the password hasher meanwhile, as "encode" or "verify"; `before` is called first, to slow
    it."""
    runs: list[str] = []
    originals = {name: getattr(Argon2PasswordHasher, name) for name in ("encode", "verify")}

    def counted(name: str) -> Callable[..., Any]:
        def run(self: Argon2PasswordHasher, *args: Any, **kwargs: Any) -> Any:
            runs.append(name)
            before()
            return originals[name](self, *args, **kwargs)

        return run

    for name in originals:
        setattr(Argon2PasswordHasher, name, counted(name))
    try:
        yield runs
    finally:
        for name, original in originals.items():
            setattr(Argon2PasswordHasher, name, original)


def at_once(*acts: Callable[[], R]) -> list[R | Exception]:
    """Run all in threads that start together; return what each returned or raised, in order, or that it did not end."""
    results: list[Any] = [TimeoutError("It did not end within a minute.")] * len(acts)
    barrier = threading.Barrier(len(acts))

    def run(index: int) -> None:
        try:
            barrier.wait(timeout=30)
            results[index] = acts[index]()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def cleaned_up() -> list[str]:
    """Run `clean_up` and return its lines: the tables, and how many rows were deleted."""
    output = StringIO()
    call_command("clean_up", stdout=output)
    return output.getvalue().splitlines()

"""What people do in many tests: sign in, register, read their mail, guess."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connections
from django.test import Client

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
    """The first step of signing in; `extra` are WSGI names such as REMOTE_ADDR."""
    return client.post("/sign-in/", {"email": email, "password": password}, **extra)


def give_code(client: Client, code: str, **extra: Any) -> Any:
    return client.post("/sign-in/code/", {"code": code}, **extra)


def is_signed_in(client: Client, page: str = "/password/") -> bool:
    """Whether the bank lets this browser see a page that needs both factors."""
    return client.get(page).status_code == 200


def wrong_code_for(code: str) -> str:
    """Six digits that are neither this code nor one of the neighbouring steps'."""
    return f"{(int(code) + 111_111) % 1_000_000:06d}"


def register(client: Client, **changes: str) -> Any:
    return client.post("/register/", NEWCOMER | changes)


def mails(to: str = "") -> list[Any]:
    """The mails rendered so far, oldest first: what waits in the outbox is rendered now."""
    from post_office.models import Email

    from accounts import outbox

    outbox.expand_waiting()
    return [mail for mail in Email.objects.order_by("id") if to in ("", *mail.to)]


def link_for(email: str) -> str:
    """The path in the newest mail to `email`."""
    found = re.search(r"http://testserver(/\S+)", mails(email)[-1].message)
    assert found, "the mail holds no link"
    return found.group(1)


@contextmanager
def hashing(before: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
    """Each run of the password hasher meanwhile, as "encode" or "verify"; `before` is called first, to slow it."""
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
    """Run all in threads that start together; what each returned or raised, in order."""
    results: list[Any] = [None] * len(acts)
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

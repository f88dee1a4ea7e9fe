"""A session is in the database under a digest of its key: a reader of the table takes over nobody's (R8.1, R8.2)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from accounts.sign_in.sessions import engine
from accounts.sign_in.sessions.engine import SessionStore, row_key
from tests.acts import give_code, give_password, held_in, is_signed_in
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db


def thief_with(cookie: str) -> Client:
    thief = Client()
    thief.cookies["sessionid"] = cookie
    return thief


def stored(**values: Any) -> SessionStore:
    session = SessionStore()
    session.update(values)
    session.save()
    return session


def key_of(session: SessionStore) -> str:
    assert session.session_key
    return session.session_key


@proves("V14.2.4")
def test_the_key_in_the_table_is_not_a_cookie(alice: Any, client: Client, code_of: Any) -> None:
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    cookie = client.cookies["sessionid"].value
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM django_session")
        assert cookie not in repr(cursor.fetchall())
    row = Session.objects.get()
    assert not is_signed_in(thief_with(row.session_key))
    assert is_signed_in(thief_with(cookie)), "the cookie itself is what one needs"
    assert is_signed_in(client)


@proves("V7.2.2", "V7.2.4")
@in_one_world("made_up", ["x" * 32, "x" * 5000, "short", "é" * 32, "a'; DROP TABLE x --", "\x00" * 9])
def test_a_made_up_cookie_opens_nothing_and_is_never_adopted(client: Client, made_up: str) -> None:
    # R8.2: session fixation.
    client.cookies["sessionid"] = made_up
    assert client.get("/sign-in/").status_code == 200
    session = SessionStore(made_up)
    session["a"] = 1
    session.save()
    assert session.session_key != made_up


def test_a_session_is_kept_found_changed_and_deleted() -> None:
    session = stored(colour="blue")
    key = key_of(session)
    assert SessionStore().exists(key)
    assert not SessionStore().exists(row_key(key))
    again = SessionStore(key)
    assert again["colour"] == "blue"
    again["colour"] = "red"
    again.save()
    assert SessionStore(key)["colour"] == "red"
    assert held_in(Session.objects.get()) == {"colour": "red"}
    SessionStore().delete(row_key(key))
    assert Session.objects.exists()
    SessionStore().delete(key)
    assert not Session.objects.exists()
    SessionStore().delete()  # there is none: nothing to do


@proves("V7.2.1")
def test_a_row_copied_under_another_key_opens_nothing(alice: Any, charlie: Any, browser_of: Any) -> None:
    # R8.2: an intruder who can write to the table cannot sign, and a signature is valid only for its own row.
    hers, his = browser_of(alice), browser_of(charlie)
    rows = [Session.objects.get(session_key=row_key(one.cookies["sessionid"].value)) for one in (hers, his)]
    assert all(is_signed_in(one) for one in (hers, his))
    Session.objects.filter(pk=rows[1].pk).update(session_data=rows[0].session_data)
    assert not is_signed_in(his)
    assert is_signed_in(hers)


def test_one_that_was_deleted_meanwhile_is_not_written_again() -> None:
    # Signed out in another window: a request that was under way must not bring it back.
    session = stored(colour="blue")
    SessionStore().delete(key_of(session))
    with pytest.raises(UpdateError):
        session.save()
    assert not Session.objects.exists()


def test_a_key_that_is_taken_is_not_taken_twice() -> None:
    session = stored(colour="blue")
    with pytest.raises(CreateError):
        SessionStore(key_of(session)).save(must_create=True)
    assert SessionStore(key_of(session))["colour"] == "blue"


def test_another_key_keeps_what_the_session_holds_and_ends_the_old_one() -> None:
    session = stored(colour="blue")
    before = key_of(session)
    session.cycle_key()
    session.save()
    assert not SessionStore().exists(before)
    assert SessionStore(key_of(session))["colour"] == "blue"
    session.flush()
    assert (Session.objects.count(), session.session_key) == (0, None)


def test_an_expired_one_is_empty_and_swept() -> None:
    session = stored(colour="blue")
    key = key_of(session)
    with time_machine.travel(timezone.now() + timedelta(days=30)):
        late = SessionStore(key)
        assert late.get("colour") is None
        assert late.session_key is None
        call_command("clearsessions")
    assert not Session.objects.exists()


def test_it_takes_as_many_statements_as_before(django_assert_num_queries: Any) -> None:
    key = key_of(stored(colour="blue"))
    with django_assert_num_queries(1):
        session = SessionStore(key)
        assert session["colour"] == "blue"
    with django_assert_num_queries(3):  # savepoint, UPDATE, release
        session.save()


@pytest.mark.django_db(transaction=True)
def test_the_same_without_waiting() -> None:
    # Django's contract has each of them twice.
    async def day() -> None:
        session = SessionStore()
        await session.aset("colour", "blue")
        await session.asave()
        key = session.session_key or ""
        assert await SessionStore().aexists(key)
        assert not await SessionStore().aexists(row_key(key))
        assert await SessionStore(row_key(key)).aget("colour") is None
        again = SessionStore(key)
        assert await again.aget("colour") == "blue"
        await again.acycle_key()
        assert not await SessionStore().aexists(key)
        await again.adelete()
        await SessionStore().adelete()
        assert await Session.objects.acount() == 0

    asyncio.run(day())


def test_a_database_that_fails_is_told_as_djangos_engine_tells_it(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*values: Any) -> int:
        raise DatabaseError

    session = SessionStore()
    session.save()
    monkeypatch.setattr(engine._writing, "execute", fail)
    with pytest.raises(UpdateError):
        session.save()

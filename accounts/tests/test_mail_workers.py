"""Any number of mail workers share the waiting rows: each takes different ones, and a dead worker's come back (R3.8,
ADR 25)."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from post_office.models import STATUS, Email, Log

from accounts.tests.conftest import deliver_to
from foundation import delivery, leases, outbox
from foundation.delivery import Courier
from foundation.models import OutboxMessage
from foundation.outbox import Audience, Notice
from tests.acts import at_once
from tests.mail_server import Mood, PostBox

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
NEVER = threading.Event()


@pytest.fixture
def event(monkeypatch: pytest.MonkeyPatch) -> str:
    """Register an event of the tests, with a mail to the person in the payload."""
    to = Audience(lambda row, payload: [(payload["email"], {})])
    monkeypatch.setitem(outbox._notices, "test", [Notice("test", to, template="registration_taken")])
    return "test"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def tell(event: str, number: int) -> None:
    for one in range(number):
        outbox.tell(event, email=f"customer{one}@example.com")


def told() -> Counter[str]:
    return Counter(mail.to[0] for mail in Email.objects.all())


def lease() -> timedelta:
    from django.conf import settings

    return timedelta(seconds=settings.MAIL_LEASE_SECONDS)


# --- Batches ----------------------------------------------------------------------------------------------------


def test_forty_messages_take_as_many_statements_as_one(event: str) -> None:
    tell(event, 1)
    with CaptureQueriesContext(
        connection,
    ) as of_one:
        assert outbox.expand_waiting() == 1
    tell(event, 40)
    with CaptureQueriesContext(connection) as of_forty:
        assert outbox.expand_waiting() == 40
    assert len(of_forty) == len(of_one)


def test_a_batch_is_no_larger_than_asked_for_and_begins_with_what_is_due_longest(event: str, clock: Any) -> None:
    for number in range(5):
        clock.move_to(NOON + timedelta(seconds=number))
        outbox.tell(event, email=f"customer{number}@example.com")
    assert outbox.expand_waiting(batch=2) == 2
    assert list(told()) == ["customer0@example.com", "customer1@example.com"]
    assert outbox.expand_waiting(batch=2) == 2
    assert outbox.expand_waiting(batch=2) == 1


POISON: dict[str, Callable[[], None]] = {
    "an address that is none": lambda: outbox.tell("test", email="nobody at all"),
    "an address with a line break": lambda: outbox.tell("test", email="a@example.com\nBcc: b@example.com"),
    "no address": lambda: outbox.tell("test"),
    "a row that is missing": lambda: outbox.tell("password_changed", user_id=0),
    "a key that is none": lambda: outbox.tell("password_changed", user_id="Alice"),
    "no key": lambda: outbox.tell("password_changed"),
    "an event of another version": lambda: OutboxMessage(event="of old", payload="{}").save(),
    "a payload that was moved here": lambda: _moved_payload(),
}


def _moved_payload() -> None:
    outbox.tell("test", email="customer0@example.com")
    sealed = OutboxMessage.objects.order_by("-pk")[0].__dict__["payload"].stored
    other = OutboxMessage(event="test", payload="{}")
    other.save()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_outboxmessage SET payload = %s WHERE id = %s", [sealed, other.pk])
        cursor.execute("DELETE FROM foundation_outboxmessage WHERE id = %s", [other.pk - 1])


@pytest.mark.parametrize("what", POISON)
def test_one_that_cannot_be_written_is_put_off_and_the_rest_of_its_batch_goes(
    event: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    # R3.8
    tell(event, 3)
    POISON[what]()
    poison = OutboxMessage.objects.order_by("-pk")[0]
    tell(event, 3)
    assert outbox.expand_waiting() == 6
    assert sum(told().values()) == 6
    left = OutboxMessage.objects.get(expanded_at=None)
    assert (left.pk, left.failures) == (poison.pk, 1)
    assert left.next_try_at > timezone.now()
    assert f"Outbox message {poison.pk} could not be expanded" in caplog.text
    assert OutboxMessage.objects.exclude(failures=0).count() == 1


def test_one_that_the_database_refuses_is_put_off_too(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Email.objects.bulk_create

    def refuse(emails: list[Email], **options: Any) -> Any:
        if any(email.to == ["customer4@example.com"] for email in emails):
            raise IntegrityError("refused")
        return create(emails, **options)

    monkeypatch.setattr(Email.objects, "bulk_create", refuse)
    tell(event, 8)
    assert outbox.expand_waiting() == 7
    assert OutboxMessage.objects.get(expanded_at=None).failures == 1
    assert set(told().values()) == {1}


def test_a_subject_that_the_column_does_not_hold_makes_no_mail(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would take it; the others would refuse the whole batch."""
    monkeypatch.setattr(outbox, "_LONGEST_SUBJECT", 5)
    tell(event, 1)
    assert outbox.expand_waiting() == 0
    assert OutboxMessage.objects.get().failures == 1


def test_a_database_that_is_away_is_nobodys_fault(event: str, monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    """No message is put off because of it; they are due again when the lease ends."""
    tell(event, 3)
    with monkeypatch.context() as away:

        def busy(*args: Any, **options: Any) -> None:
            raise OperationalError("database is locked")

        away.setattr(Email.objects, "bulk_create", busy)
        with pytest.raises(OperationalError):
            outbox.expand_waiting()
    assert set(OutboxMessage.objects.values_list("failures", "expanded_at")) == {(0, None)}
    clock.shift(lease())
    assert outbox.expand_waiting() == 3


# --- Leases -----------------------------------------------------------------------------------------------------


def due() -> Any:
    return OutboxMessage.objects.filter(next_try_at__lte=timezone.now()).order_by("next_try_at", "id")


def take(limit: int) -> list[int]:
    until = timezone.now() + lease()
    return [row.pk for row in leases.take(due(), due_at="next_try_at", until=until, limit=limit)]


def test_what_one_has_taken_no_other_takes_until_the_lease_ends(event: str, clock: Any) -> None:
    tell(event, 5)
    first = take(2)
    assert len(first) == 2
    assert set(first).isdisjoint(second := take(9))
    assert len(second) == 3
    assert take(9) == []
    clock.shift(lease() - timedelta(microseconds=1))
    assert take(9) == []
    clock.shift(timedelta(microseconds=1))
    assert take(9) == first + second


@pytest.mark.django_db(transaction=True)
def test_workers_who_take_at_the_same_moment_take_different_rows(event: str) -> None:
    tell(event, 40)
    taken: list[Any] = at_once(*[lambda: take(8)] * 5)
    assert sorted(pk for one in taken for pk in one) == sorted(OutboxMessage.objects.values_list("pk", flat=True))


def test_a_worker_who_outlives_its_lease_writes_no_mail_a_second_time(event: str, clock: Any) -> None:
    tell(event, 3)
    until = timezone.now() + lease()
    slow = leases.take(due(), due_at="next_try_at", until=until, limit=3)
    clock.shift(lease())
    assert outbox.expand_waiting(batch=2) == 2
    assert outbox._expand(slow) == 1, "the one that nobody else has written"
    assert sorted(told().values()) == [1, 1, 1]
    assert set(OutboxMessage.objects.values_list("failures", flat=True)) == {0}


# --- Delivery ---------------------------------------------------------------------------------------------------

in_the_open = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queued(event: str, settings: Any, post_box: PostBox) -> Callable[[int], None]:
    """Queue this many mails, for the post box."""
    deliver_to(settings, post_box.port)

    def queue(number: int) -> None:
        tell(event, number)
        while outbox.expand_waiting():
            pass

    return queue


@in_the_open
def test_all_mails_go_over_one_connection(queued: Callable, post_box: PostBox) -> None:
    queued(45)  # more than are taken at a time
    call_command("send_queued_mail")
    assert len(set(post_box.addresses)) == len(post_box) == 45
    assert len(set(post_box.callers)) == 1
    assert set(Email.objects.values_list("status", "scheduled_time")) == {(STATUS.sent, None)}


@in_the_open
def test_what_another_worker_has_taken_is_left_to_it_until_its_lease_ends(queued: Callable, post_box: PostBox) -> None:
    # R3.8
    with time_machine.travel(NOON) as clock:
        queued(30)
        killed = delivery._take(timezone.now(), until=timezone.now() + lease())
        call_command("send_queued_mail")
        assert len(killed) == 20
        assert set(post_box.addresses) == set(told()) - {mail.to[0] for mail in killed}
        clock.shift(lease())
        call_command("send_queued_mail")
    assert Counter(post_box.addresses) == told()


@in_the_open
def test_a_clock_that_is_set_back_keeps_no_mail(event: str, queued: Callable, post_box: PostBox) -> None:
    """R3.8: messages told an hour ahead, or taken then by a worker that is gone, do not wait for that hour."""
    with time_machine.travel(NOON) as clock:
        courier = Courier()
        courier.deliver(NEVER)
        clock.shift(timedelta(hours=1))
        queued(3)
        delivery._take(timezone.now(), until=timezone.now() + lease())
        tell(event, 2)
        leases.take(due(), due_at="next_try_at", until=timezone.now() + lease(), limit=1)
        courier.deliver(NEVER)
        assert len(post_box) == 0
        clock.move_to(NOON)
        courier.deliver(NEVER)
        assert (outbox.expand_waiting(), len(post_box)) == (0, 0), "whoever took them may be at it"
        clock.shift(lease())
        assert outbox.expand_waiting() == 2
        courier.deliver(NEVER)
        courier.hang_up()
    assert len(post_box) == 5


@in_the_open
def test_half_a_lease_is_over_by_a_clock_that_is_set_back_too(
    queued: Callable, post_box: PostBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.8: the worker stops where its mails may belong to another, and gives back those that are still its own."""
    with time_machine.travel(NOON) as clock:
        queued(3)
        courier, seconds = Courier(), itertools.count(step=lease().total_seconds() / 4)
        monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
        original = courier._hand_over

        def slowly(email: Any) -> None:
            clock.move_to(NOON - timedelta(hours=1))
            original(email)

        monkeypatch.setattr(courier, "_hand_over", slowly)
        assert courier.deliver(NEVER) < 3
        courier.hang_up()


@in_the_open
def test_what_is_put_off_by_a_clock_that_is_right_stays_so(queued: Callable, post_box: PostBox) -> None:
    with time_machine.travel(NOON, tick=False):
        queued(2)
        delivery._take(timezone.now(), until=timezone.now() + lease())
        OutboxMessage.objects.update(expanded_at=None, failures=9, next_try_at=NOON + timedelta(hours=1))
        Courier().deliver(NEVER)
        assert set(Email.objects.values_list("scheduled_time", flat=True)) == {NOON + lease()}
        assert set(OutboxMessage.objects.values_list("next_try_at", flat=True)) == {NOON + timedelta(hours=1)}


@in_the_open
def test_of_mails_that_cannot_be_delivered_the_others_know_nothing(
    queued: Callable, post_box: PostBox, settings: Any
) -> None:
    settings.POST_OFFICE = settings.POST_OFFICE | {"MAX_RETRIES": 2}
    post_box.refused = {"customer1@example.com"}
    with time_machine.travel(NOON, tick=False) as clock:
        queued(4)
        call_command("send_queued_mail")
        assert len(post_box) == 3
        for retries in (1, 2):
            mail = Email.objects.exclude(status=STATUS.sent).get()
            assert (mail.status, mail.number_of_retries) == (STATUS.requeued, retries)
            pause = timedelta(seconds={1: 10, 2: 20}[retries])
            assert mail.scheduled_time == timezone.now() + pause
            call_command("send_queued_mail")
            assert Log.objects.count() == retries, "not before its time"
            clock.shift(pause)
            call_command("send_queued_mail")
    mail.refresh_from_db()
    assert (mail.status, mail.scheduled_time) == (STATUS.failed, None)
    log = Log.objects.filter(email=mail)[0]
    assert (log.status, log.exception_type, "refused" in log.message) == (STATUS.failed, "SMTPDataError", True)
    assert len(post_box) == 3


def test_a_server_that_is_away_is_tried_soon_and_then_each_quarter_of_an_hour_for_two_days(settings: Any) -> None:
    # R3.8: a moment's refusal does not delay a mail by minutes, and a long one gives none up.
    pauses = [delivery.pause_after(retries) for retries in range(settings.POST_OFFICE["MAX_RETRIES"])]
    assert [pause.total_seconds() for pause in pauses[:9]] == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert set(pauses[7:]) == {timedelta(minutes=15)}
    assert sum(pauses, timedelta()) > timedelta(days=2)


@in_the_open
def test_told_to_stop_it_finishes_the_mail_at_hand_and_gives_the_others_back(
    queued: Callable, post_box: PostBox
) -> None:
    # R9.3
    queued(10)
    stop = threading.Event()
    post_box.when_taken = stop.set
    courier = Courier()
    assert courier.deliver(stop) == 1
    courier.hang_up()
    assert Email.objects.filter(status=STATUS.sent).count() == len(post_box) == 1
    call_command("send_queued_mail")
    assert Counter(post_box.addresses) == told()


@in_the_open
def test_before_its_lease_ends_a_slow_worker_gives_back_what_it_has_not_begun(
    queued: Callable, post_box: PostBox
) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        queued(10)
        post_box.when_taken = lambda: clock.shift(lease() / 4)
        courier = Courier()
        assert courier.deliver(NEVER) == 2
        post_box.when_taken = lambda: None
        assert courier.deliver(NEVER) == 8
        courier.hang_up()
    assert Counter(post_box.addresses) == told()


@in_the_open
def test_a_slow_server_gets_each_mail_once_though_all_of_them_outlast_a_lease(
    queued: Callable, post_box: PostBox, settings: Any
) -> None:
    """R3.8, F6: fourteen mails of fourteen seconds each outlasted their batch, and one came twice."""
    settings.MAIL_LEASE_SECONDS, post_box.seconds_for_each = 4, 0.4
    queued(14)

    def work() -> None:
        courier = Courier()
        while Email.objects.exclude(status=STATUS.sent).exists():
            courier.deliver(NEVER)
        courier.hang_up()

    at_once(work, work)
    assert Counter(post_box.addresses) == told()
    assert Log.objects.count() == 0


@in_the_open
def test_a_worker_hangs_up_on_a_server_before_its_lease_ends(
    queued: Callable, post_box: PostBox, settings: Any
) -> None:
    """R3.8, F6: the timeout of a connection is for each answer; a mail has a dozen."""
    settings.MAIL_LEASE_SECONDS, post_box.seconds_for_each = 1, 600
    assert settings.EMAIL_TIMEOUT == 20
    queued(2)
    courier = Courier()
    assert courier.deliver(NEVER) == 1
    courier.hang_up()
    log = Log.objects.get()
    assert log.exception_type == "SMTPServerDisconnected"
    assert "timed out" not in log.message, "the connection's own timeout came first"
    assert sorted(Email.objects.values_list("status", "number_of_retries")) == [
        (STATUS.queued, None),
        (STATUS.requeued, 1),
    ]


@in_the_open
def test_a_worker_that_fails_late_leaves_its_mail_to_whoever_has_taken_it_since(
    queued: Callable, post_box: PostBox
) -> None:
    """R3.8: made due by the late one, a third worker would send it as well."""
    with time_machine.travel(NOON, tick=False) as clock:
        queued(1)
        post_box.mood = Mood.REFUSES_MAILS

        class Late(Courier):
            def _hand_over(self, email: Email) -> None:
                super()._hand_over(email)
                clock.shift(lease())
                assert delivery._take(timezone.now(), until=timezone.now() + lease()) == [email]

        courier = Late()
        courier.deliver(NEVER)
        courier.hang_up()
        held = Email.objects.get()
        assert (held.status, held.scheduled_time) == (STATUS.queued, timezone.now() + lease())


@in_the_open
def test_a_worker_whose_lease_has_passed_gives_back_nothing_that_another_has_taken(
    queued: Callable, post_box: PostBox
) -> None:
    """R3.8. A third worker would also deliver it: the clock was set forward, or this machine slept."""
    with time_machine.travel(NOON, tick=False) as clock:
        queued(10)
        others: list[Email] = []

        class Late(Courier):
            def _hand_over(self, email: Email) -> None:
                super()._hand_over(email)
                clock.shift(timedelta(hours=1))
                others.extend(delivery._take(timezone.now(), until=timezone.now() + lease()))

        courier = Late()
        assert courier.deliver(NEVER) == 1
        courier.hang_up()
        assert len(others) == 10
        assert delivery._take(timezone.now(), until=timezone.now() + lease()) == []


@in_the_open
def test_what_went_out_while_the_database_was_away_is_written_down_first(
    queued: Callable, post_box: PostBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(3)
    courier = Courier()
    with monkeypatch.context() as away:

        def lost(*args: Any) -> None:
            raise OperationalError("server closed the connection")

        away.setattr(delivery, "_write_down", lost)
        with pytest.raises(OperationalError):
            courier.deliver(NEVER)
    assert Email.objects.filter(status=STATUS.queued).count() == 3
    assert courier.deliver(NEVER) == 0
    courier.hang_up()
    assert Email.objects.filter(status=STATUS.sent).count() == len(post_box) == 3


@in_the_open
def test_a_mail_that_comes_twice_has_one_message_id(queued: Callable, post_box: PostBox, settings: Any) -> None:
    queued(2)
    call_command("send_queued_mail")
    Email.objects.update(status=STATUS.queued)
    call_command("send_queued_mail")
    ids = Counter(mail["Message-ID"] for _, mail in post_box)
    assert sorted(ids.values()) == [2, 2]
    assert all(one.endswith(f"@{settings.POST_OFFICE['MESSAGE_ID_FQDN']}>") for one in ids)


@in_the_open
def test_mails_that_django_queues_go_out_with_the_others(queued: Callable, post_box: PostBox) -> None:
    queued(1)
    Email.objects.create(from_email="a@example.com", to=["b@example.com"], message="x", status=STATUS.queued)
    now = timezone.now()
    times = {"expires_at": now, "scheduled_time": None}
    Email.objects.create(from_email="a@example.com", to=["c@example.com"], status=STATUS.queued, **times)
    call_command("send_queued_mail")
    assert sorted(post_box.addresses) == ["b@example.com", "customer0@example.com"]


@in_the_open
def test_two_workers_at_once_deliver_each_mail_once(queued: Callable, post_box: PostBox) -> None:
    # R3.8
    queued(60)

    def work() -> int:
        courier, tried = Courier(), 0
        while now := courier.deliver(NEVER):
            tried += now
        courier.hang_up()
        return tried

    tried: list[Any] = at_once(work, work)
    assert sum(tried) == 60
    assert Counter(post_box.addresses) == told()

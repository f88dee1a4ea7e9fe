"""Mail: one row in the transaction, rendered once, delivered after the commit, nothing lost (R3.8)."""

import re
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.template import Context
from django.template.defaulttags import LoadNode
from django.template.loader_tags import BlockNode
from django.utils import timezone
from post_office.models import STATUS, Email

from accounts.tests.conftest import deliver_to
from foundation import outbox
from foundation.delivery import Courier
from foundation.models import OutboxMessage
from foundation.outbox import Audience, Notice, Payload, Told
from tests.acts import at_once, mails
from tests.asvs import proves
from tests.mail_server import PostBox

pytestmark = pytest.mark.django_db

TYPED = "{{ 7|add:7 }} {% now 'Y' %} <script>alert('x')</script> Tom & Jerry’s"


@pytest.fixture
def event(monkeypatch: pytest.MonkeyPatch) -> str:
    """Register an event of the tests; its mails are those of a transfer, with text that a customer typed."""

    def told(row: None, payload: Payload) -> list[Told]:
        if payload.get("poison"):
            raise ValueError("cannot be rendered")
        context = {"first_name": "Bob", "amount": Decimal("5.00"), "own_number": "•••• 1", "other_name": "A. B."}
        context |= {"other_number": "•••• 2", "reference": "REF"}
        return [(payload.get("to", "bob@example.com"), context)]

    monkeypatch.setitem(outbox._notices, "test", [Notice("test", Audience(told), template="payment_received")])
    return "test"


def to(address: str) -> Audience:
    return Audience(lambda row, payload: [(address, {})])


def test_each_row_is_rendered_once(event: str) -> None:
    # R3.8
    outbox.tell(event)
    assert outbox.expand_waiting() == 1
    assert outbox.expand_waiting() == 0
    [mail] = Email.objects.all()
    assert mail.to == ["bob@example.com"]
    assert (mail.subject, mail.status) == ("You received €5.00", STATUS.queued)
    assert OutboxMessage.objects.get().expanded_at is not None
    assert str(OutboxMessage.objects.get()).startswith("test 20")


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_render_it_once(event: str) -> None:
    # R3.8
    for _ in range(5):
        outbox.tell(event)
    assert sum(at_once(*[outbox.expand_waiting] * 4)) == 5  # type: ignore[arg-type]
    assert Email.objects.count() == 5


def test_a_transaction_that_is_undone_tells_nobody(event: str) -> None:
    # R3.8: never without a commit.
    with transaction.atomic():
        outbox.tell(event)
        transaction.set_rollback(True)
    assert outbox.expand_waiting() == 0


def test_an_event_that_nobody_writes_mails_of_is_refused_at_once() -> None:
    # R3.8: in the transaction, not in the worker hours later.
    with pytest.raises(LookupError, match="nonsense"):
        outbox.tell("nonsense")


def test_one_that_cannot_be_rendered_stops_no_other(event: str) -> None:
    # R3.8
    outbox.tell(event, poison=True)
    outbox.tell(event)
    assert outbox.expand_waiting() == 1
    assert outbox.expand_waiting() == 0
    assert Email.objects.count() == 1


def test_it_is_tried_again_after_a_growing_pause_and_never_thrown_away(
    event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R3.8: sent at least once after a commit, even if the fault is mended weeks later.
    with time_machine.travel(datetime(2026, 11, 3, 12, tzinfo=UTC), tick=False) as clock:
        outbox.tell(event, poison=True)
        pauses = []
        for failures in range(1, 13):
            outbox.expand_waiting()
            row = OutboxMessage.objects.get()
            assert (row.failures, row.expanded_at) == (failures, None)
            pauses.append((row.next_try_at - timezone.now()).total_seconds())
            outbox.expand_waiting()
            assert OutboxMessage.objects.get().failures == failures, "not before its time"
            clock.move_to(row.next_try_at)
        assert pauses[:3] == [20, 40, 80]
        assert pauses[-1] == 3600 == max(pauses)
        mended = Notice(event, to("bob@example.com"), template="registration_taken")
        monkeypatch.setitem(outbox._notices, event, [mended])
        assert outbox.expand_waiting() == 1
    assert len(mails("bob@example.com")) == 1


def test_what_fails_halfway_leaves_no_mail_behind(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # R3.8: both mails or none, or the first would be sent again with each try.
    monkeypatch.setitem(
        outbox._notices,
        event,
        [
            Notice(event, to("a@example.com"), template="registration_taken"),
            Notice(event, to("b@example.com"), template="no_such_template"),
        ],
    )
    outbox.tell(event)
    assert outbox.expand_waiting() == 0
    assert not Email.objects.exists()


@proves("V1.2.1")
def test_what_a_customer_typed_is_text_in_every_mail(event: str) -> None:
    # R8.3, a peer's fault: a description rendered as HTML. It is not run as a template either.
    outbox.tell(event, description=TYPED)
    [mail] = mails()
    assert f"Description: {TYPED}" in mail.message, "plain text is not escaped"
    assert "<script>" not in mail.html_message
    assert "&lt;script&gt;" in mail.html_message
    assert "Tom &amp; Jerry" in mail.html_message
    assert "{{ 7|add:7 }}" in mail.html_message
    # What post-office really sends when it delivers.
    message = mail.prepare_email_message()
    assert TYPED in message.body
    assert "14" not in message.body.replace(mail.message_id or "", "")


def test_every_mail_of_the_bank_has_all_its_parts() -> None:
    # R3.8
    templates = [notice.template_name for notices in outbox._notices.values() for notice in notices]
    assert len(templates) > 50
    for template in templates:
        compiled, blocks = outbox.blocks_of(template)
        assert set(blocks) == {"subject", "text", "html"}, f"templates/emails/{template}.html"
        outside = [node for node in compiled.nodelist if not isinstance(node, BlockNode | LoadNode)]
        unsent = "".join(node.render(Context()) for node in outside).strip()
        assert not unsent, f"templates/emails/{template}.html: what stands outside its blocks is never sent: {unsent}"


def test_every_template_of_a_mail_is_in_one_line_of_one_table(repository: Path) -> None:
    lines = Counter(notice.template_name for notices in outbox._notices.values() for notice in notices)
    files = {path.stem for path in (repository / "templates" / "emails").iterdir()} - {"frame"}
    assert files - set(lines) == set(), "in no table"
    assert [template for template, number in lines.items() if number > 1] == []


def test_every_event_that_is_told_of_is_in_a_table_and_every_other_way_round(repository: Path) -> None:
    # R3.8: a mail that no event uses is dead; an event in no table would fail only at its first use.
    sources = [
        path.read_text()
        for app in ("accounts", "transfers", "support")
        for path in (repository / app).rglob("*.py")
        if "tests" not in path.relative_to(repository).parts and path.name != "notices.py"
    ]
    told = {event for source in sources for event in re.findall(r"\btell\(\s*\"(\w+)\"", source)}
    assert len(told) > 30
    assert told - set(outbox._notices) == set(), "in no table"
    named = {word for source in sources for word in re.findall(r"\"(\w+)\"", source)}
    assert set(outbox._notices) - named == set(), "never told"


@pytest.mark.django_db(transaction=True)
def test_the_worker_delivers_to_a_real_server(event: str, settings: Any, post_box: PostBox) -> None:
    # R3.8
    deliver_to(settings, post_box.port)
    outbox.tell(event, description=TYPED)
    outbox.tell(event, to="alice@example.com")
    call_command("send_queued_mail")
    assert sorted(to for to, _ in post_box) == [["alice@example.com"], ["bob@example.com"]]
    [message] = [message for to, message in post_box if to == ["bob@example.com"]]
    assert message["Subject"] == "You received €5.00"
    assert message["From"] == settings.DEFAULT_FROM_EMAIL
    assert message["Message-ID"]
    assert TYPED in message.get_body(("plain",)).get_content()
    assert "<script>" not in message.get_body(("html",)).get_content()
    assert set(Email.objects.values_list("status", flat=True)) == {STATUS.sent}
    call_command("send_queued_mail")
    assert len(post_box) == 2, "nothing is sent again"


@pytest.mark.django_db(transaction=True)
def test_a_server_that_is_away_loses_nothing(event: str, settings: Any, post_box: PostBox) -> None:
    # R3.8
    port = post_box.port
    deliver_to(settings, 1)
    outbox.tell(event)
    call_command("send_queued_mail")
    assert Email.objects.get().status == STATUS.requeued
    Email.objects.update(scheduled_time=None)
    deliver_to(settings, port)
    call_command("send_queued_mail")
    assert len(post_box) == 1


@pytest.mark.django_db(transaction=True)
def test_a_crash_between_rendering_and_delivery_loses_nothing(
    event: str, settings: Any, post_box: PostBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R3.8: sent at least once after a commit.
    deliver_to(settings, post_box.port)
    outbox.tell(event)
    with monkeypatch.context() as crash:

        def die(*args: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

        crash.setattr(Courier, "deliver", die)
        with pytest.raises(KeyboardInterrupt):
            call_command("send_queued_mail")
    assert Email.objects.get().status == STATUS.queued
    call_command("send_queued_mail")
    assert len(post_box) == 1


def test_a_crash_while_rendering_loses_nothing(event: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # R3.8: rows that the dead worker had taken are due again when its lease ends.
    outbox.tell(event)
    with monkeypatch.context() as crash:

        def die(*args: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

        crash.setattr(outbox, "rendered", die)
        with pytest.raises(KeyboardInterrupt):
            outbox.expand_waiting()
    assert not Email.objects.exists()
    with time_machine.travel(timezone.now() + timedelta(seconds=settings.MAIL_LEASE_SECONDS)):
        assert len(mails()) == 1


def test_the_watching_worker_outlives_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Exception | None] = [OperationalError("could not connect"), None]

    def expand() -> bool:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        signal.raise_signal(signal.SIGTERM)
        return False

    monkeypatch.setattr(outbox, "expand_waiting", expand)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        call_command("send_queued_mail", watch=0.01)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert answers == []
    assert "mails wait" in caplog.text
    assert "could not connect" not in caplog.text


def test_without_watching_a_database_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def expand() -> bool:
        raise OperationalError("could not connect")

    monkeypatch.setattr(outbox, "expand_waiting", expand)
    with pytest.raises(OperationalError):
        call_command("send_queued_mail")

"""The mail server of a round: its moods as a client sees them, and its report on the mails that came (R3.8)."""

import smtplib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection

from foundation.outbox import Mail, rendered
from tests.faults.fault import Violation
from tests.faults.post import PostOffice
from tests.mail_server import Mood

BOTH = ["alice@example.com", "bob@example.com"]


@pytest.fixture
def post() -> Iterator[PostOffice]:
    with PostOffice.begun() as post:
        yield post


def tell(
    post: PostOffice, description: str, *people: str, message_id: str = "", template: str = "payment_sent"
) -> None:
    """Send the bank's mails about a transfer of this description, one to each of them."""
    about: dict[str, Any] = {
        "amount": Decimal("12.50"),
        "own_number": "•••• 1234",
        "other_name": "Bob Brandt",
        "other_number": "•••• 5678",
        "description": description,
        "reference": "AB12-CD34",
        "first_name": "Zoë",
    }
    for number, address in enumerate(people):
        subject, text, html = rendered(Mail(address, template, about))
        headers = {"Message-ID": message_id or f"<{description}-{number}-{template}@example.com>"}
        mail = EmailMultiAlternatives(subject, text, "bank@example.com", [address], headers=headers)
        mail.attach_alternative(html, "text/html")
        smtp = get_connection(
            "django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=post.port, timeout=20
        )
        smtp.send_messages([mail])


def test_a_mail_is_known_by_what_it_says_of_its_transfer(post: PostOffice) -> None:
    tell(post, "k-1 Café – “rent”", "alice@example.com")
    tell(post, "", "bob@example.com", template="payment_received")
    named, unnamed = post.taken()
    assert (named.recipients, named.description) == (("alice@example.com",), "k-1 Café – “rent”")
    assert named.subject == "You sent €12.50"
    assert (unnamed.description, unnamed.message_id) == ("", "<-0-payment_received@example.com>")


def test_all_that_was_committed_and_came_is_right(post: PostOffice) -> None:
    tell(post, "k-1", *BOTH)
    assert post.require_mails({"k-1": BOTH, "k-of-own-accounts": []}, within=0) == 2


def test_a_mail_that_did_not_leave_is_named(post: PostOffice) -> None:
    tell(post, "k-1", "alice@example.com")
    with pytest.raises(Violation, match=r"did not leave within 0 s: “k-1” to bob@example\.com"):
        post.require_mails({"k-1": BOTH}, within=0)


@pytest.mark.parametrize("committed", [{}, {"k-1": ["bob@example.com"]}], ids=["nothing", "to another"])
def test_a_mail_about_what_was_not_committed_is_named(post: PostOffice, committed: dict[str, list[str]]) -> None:
    tell(post, "k-1", *BOTH)
    with pytest.raises(Violation, match=r"not committed: .*alice@example\.com"):
        post.require_mails(committed, within=0)


def test_a_mail_that_was_written_twice_is_named_though_kills_may_double(post: PostOffice) -> None:
    post.may_double()
    for message_id in ("<a@example.com>", "<b@example.com>"):
        tell(post, "k-1", "alice@example.com", message_id=message_id)
    with pytest.raises(Violation, match="written more than once"):
        post.require_mails({"k-1": ["alice@example.com"]}, within=0)


def test_a_mail_that_came_twice_wants_a_kill_that_explains_it(post: PostOffice) -> None:
    for _ in range(2):
        tell(post, "k-1", "alice@example.com")
    with pytest.raises(Violation, match="1 mails came again, and kills explain 0"):
        post.require_mails({"k-1": ["alice@example.com"]}, within=0)
    post.may_double(1)
    assert post.require_mails({"k-1": ["alice@example.com"]}, within=0) == 2


def test_a_kill_explains_what_comes_again_until_the_next_look_and_no_later(post: PostOffice) -> None:
    """The duplicates that one fault allows do not excuse a later one."""
    told = {"k-1": ["alice@example.com"]}
    tell(post, "k-1", "alice@example.com")
    post.may_double()
    assert post.require_mails(told, within=0) == 1
    tell(post, "k-1", "alice@example.com")
    with pytest.raises(Violation, match="1 mails came again, and kills explain 0"):
        post.require_mails(told, within=0)
    post.may_double(1)
    assert post.require_mails(told, within=0) == 2
    assert post.require_mails(told, within=0) == 2, "what was explained once is not asked about again"


def test_what_it_refuses_for_now_it_does_not_have(post: PostOffice) -> None:
    post.mood = Mood.REFUSES_RECIPIENTS
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="450"):
        tell(post, "k-1", "alice@example.com")
    post.mood = Mood.REFUSES_MAILS
    with pytest.raises(smtplib.SMTPDataError, match="451"):
        tell(post, "k-1", "alice@example.com")
    post.mood = Mood.TAKES
    post.refused = {"alice@example.com"}
    with pytest.raises(smtplib.SMTPDataError, match="554"):
        tell(post, "k-1", "alice@example.com")
    assert post.came() == 0


def test_what_it_breaks_off_it_has_only_where_it_had_read_it_all(post: PostOffice) -> None:
    post.mood = Mood.BREAKS_OFF
    with pytest.raises(smtplib.SMTPServerDisconnected):
        tell(post, "k-1", "alice@example.com")
    assert post.came() == 0
    post.mood = Mood.TAKES_AND_BREAKS_OFF
    with pytest.raises(smtplib.SMTPServerDisconnected):
        tell(post, "k-1", "alice@example.com")
    post.mood = Mood.TAKES
    tell(post, "k-1", "alice@example.com")
    assert post.require_mails({"k-1": ["alice@example.com"]}, within=0) == 2, "nobody could know that it was taken"


def test_gone_it_cuts_who_is_connected_and_comes_back_at_the_same_port(post: PostOffice) -> None:
    port = post.port
    client = smtplib.SMTP("127.0.0.1", port, timeout=20)
    client.ehlo()
    post.close()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    with pytest.raises(ConnectionRefusedError):
        tell(post, "k-1", "alice@example.com")
    post.open()
    assert post.port == port
    tell(post, "k-1", "alice@example.com")
    assert post.came() == 1


def test_a_slow_one_takes_its_time_and_the_mail(post: PostOffice) -> None:
    post.seconds_for_each = 0.05
    tell(post, "k-1", "alice@example.com")
    assert post.busy.is_set()
    assert post.came() == 1


def test_it_leaves_no_port_however_it_ends(post: PostOffice) -> None:
    with PostOffice.begun() as other:
        port = other.port
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", port, timeout=20)

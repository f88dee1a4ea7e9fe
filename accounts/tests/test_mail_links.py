"""Links in mails, the rules of all kinds: a token of which only the digest is kept, valid for a time and once, even if
it is followed twice at the same moment (R1.1, R1.8, R1.9)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps

from accounts.models import EmailChange, EnrolmentLink, PasswordReset, Registration, User
from accounts.people import email_change, registration
from accounts.sign_in.passwords import reset as password_reset
from accounts.sign_in.passwords.hashing import make_hash
from audit.models import AuditEntry
from foundation.mail_links import LinkInvalid, MailLink, digest
from foundation.transactions import own_transaction
from tests.acts import at_once
from tests.asvs import proves
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Issue = Callable[[Any], MailLink]

# The owner of the link: a user, or an address that has no user yet.
KINDS: dict[str, Issue] = {
    "password": lambda user: PasswordReset(user=user),
    "email": lambda user: EmailChange(user=user, email="new@example.net"),
    "registration": lambda user: Registration(email="nora@example.com", first_name="Nora", password="unusable"),
}


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, alice: Any) -> Callable[[], MailLink]:
    """Return another link of one kind, still to be issued, for the same owner each time."""
    return lambda: KINDS[request.param](alice)


def test_every_link_that_is_mailed_is_one() -> None:
    # Every table that keeps the digest of a token until a time follows the rules tested here.
    columns = {"token_digest", "expires_at"}
    found = [model for model in apps.get_models() if columns <= {field.name for field in model._meta.fields}]
    assert {model.__name__ for model in found} == {
        "Registration", "PasswordReset", "EmailChange", "EnrolmentLink", "LostFactorLink", "StopLink",
    }  # fmt: skip
    assert all(issubclass(model, MailLink) for model in found)


def test_a_link_is_found_as_often_as_it_is_followed_and_used_up_once(make: Any) -> None:
    link = make()
    token = link.issue(lasts=HOUR)
    assert (len(token) >= 43, link.token_digest) == (True, digest(token))
    assert [type(link).find(token) for _ in range(2)] == [link, link]
    assert str(link.expires_at.year) in str(link)
    assert type(link).use_up(token).token_digest == digest(token)
    for follow in (type(link).find, type(link).use_up):
        with pytest.raises(LinkInvalid):
            follow(token)


def test_a_link_is_good_for_its_time_and_then_forgotten(make: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        link = make()
        token = link.issue(lasts=HOUR)
        clock.shift(HOUR - timedelta(seconds=1))
        type(link).forget_expired()
        assert type(link).find(token) == link
        clock.shift(timedelta(seconds=2))
        for follow in (type(link).find, type(link).use_up):
            with pytest.raises(LinkInvalid):
                follow(token)
        type(link).forget_expired()
        assert not type(link)._default_manager.exists()


def test_the_first_that_is_used_up_ends_the_others_of_its_owner_alone(make: Any, bob: Any) -> None:
    first, second, others = make(), make(), PasswordReset(user=bob)
    token, worthless, bobs = [link.issue(lasts=HOUR) for link in (first, second, others)]
    type(first).use_up(token)
    with pytest.raises(LinkInvalid):
        type(second).find(worthless)
    assert PasswordReset.find(bobs) == others


def test_a_link_issued_again_answers_to_its_new_token_alone(alice: Any) -> None:
    link = EnrolmentLink(user=alice)
    old, new = link.issue(lasts=HOUR), link.issue(lasts=HOUR)
    assert EnrolmentLink.find(new) == link
    with pytest.raises(LinkInvalid):
        EnrolmentLink.find(old)


def test_a_condition_on_the_owner_leaves_out_all_others(alice: Any, bob: Any) -> None:
    token = EmailChange(user=alice, email="new@example.net").issue(lasts=HOUR)
    for follow in (EmailChange.find, EmailChange.use_up):
        with pytest.raises(LinkInvalid):
            follow(token, user=bob)
    assert EmailChange.find(token, user=alice).user == alice


@proves("V6.4.1")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["password", "registration"])
def test_of_links_followed_at_the_same_moment_one_wins(alice: Any, kind: str) -> None:
    # One lock for each sort of owner: the user's row, or the links of the address. Services do everything with a link
    # behind this lock, as the next test shows for each.
    links = [KINDS[kind](alice) for _ in range(3)]
    tokens = [link.issue(lasts=HOUR) for link in links]
    use_up = own_transaction(lambda token: type(links[0]).use_up(token))
    results = at_once(*[lambda t=token: use_up(t) for token in tokens * 2])
    names = sorted(type(result).__name__ for result in results)
    assert names == ["LinkInvalid"] * 5 + [type(links[0]).__name__]
    assert not type(links[0])._default_manager.exists()


def test_a_link_used_while_another_click_waits_does_nothing_more(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # R1.1, R1.8, R1.9: each service, at the moment when the first click has gone through.
    sent = Registration(email="nora@example.com", first_name="Nora", password=make_hash(PASSWORD))
    resets, changes, registers = (
        PasswordReset(user=alice).issue(lasts=HOUR),
        EmailChange(user=alice, email="new@example.net").issue(lasts=HOUR),
        sent.issue(lasts=HOUR),
    )
    second_clicks: tuple[Callable[[], object], ...] = (
        lambda: password_reset.reset_password(token=resets, new_password="a sentence that nobody has said"),
        lambda: email_change.confirm_change(actor=alice, token=changes),
        lambda: registration.confirm(token=registers, password=PASSWORD, ip=None),
    )
    before, people = AuditEntry.objects.count(), list(User.objects.values("email", "password"))
    waited: list[MailLink] = []

    def first_click_goes_through(link: MailLink) -> None:
        waited.append(link)
        type(link)._default_manager.filter(pk=link.pk).delete()

    monkeypatch.setattr(MailLink, "_wait_for_others", first_click_goes_through)
    for click in second_clicks:
        with pytest.raises(LinkInvalid):
            click()
    assert [type(link) for link in waited] == [PasswordReset, EmailChange, Registration]
    assert (AuditEntry.objects.count(), list(User.objects.values("email", "password"))) == (before, people)

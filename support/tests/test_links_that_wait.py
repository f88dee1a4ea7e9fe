"""Links in mails that nobody has followed end when the password or the e-mail address of their owner changes: they may
lie in a mailbox that is not the owner's any more (R1.8, R1.9, S9)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.models import EmailChange, EnrolmentLink, PasswordReset, TotpDevice, User
from accounts.people import email_change
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords import change as passwords
from accounts.sign_in.passwords import reset as password_reset
from foundation.mail_links import LinkInvalid, MailLink
from support.models import LostFactorLink
from tests.asvs import proves
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NEW = "a sentence that nobody has said"


def lost_factor_of(user: User) -> MailLink:
    return LostFactorLink(user=user, stands_for=LostFactorLink.state_of(user))


LINKS: dict[str, Callable[[User], MailLink]] = {
    "password": lambda user: PasswordReset(user=user),
    "address": lambda user: EmailChange(user=user, email="other@example.com"),
    "enrolment": lambda user: EnrolmentLink(user=user),
    "lost factor": lost_factor_of,
}


def change_the_password(user: User) -> None:
    passwords.change_password(
        actor=user, old_password=PASSWORD, new_password=NEW, kept_session=user.public_id, origin=Origin()
    )


def forget_the_password(user: User) -> None:
    password_reset.reset_password(token=PasswordReset(user=user).issue(lasts=HOUR), new_password=NEW)


def confirm_another_address(user: User) -> None:
    token = EmailChange(user=user, email="alice@new.example.com").issue(lasts=HOUR)
    email_change.confirm_change(actor=user, token=token)


CHANGES = {
    "a new password": change_the_password,
    "a forgotten one": forget_the_password,
    "another address": confirm_another_address,
}


@proves("V6.4.1")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", LINKS)
def test_no_link_outlives_a_change_of_password_or_address(kind: str, change: str, alice: User, bob: User) -> None:
    tokens = {user: LINKS[kind](user).issue(lasts=HOUR) for user in (alice, bob)}
    model = type(LINKS[kind](alice))
    assert model.find(tokens[alice])
    CHANGES[change](alice)
    with pytest.raises(LinkInvalid):
        model.find(tokens[alice])
    assert model.find(tokens[bob]), "another person's goes on"


def test_who_still_needs_a_link_to_set_two_factor_up_is_sent_another(alice: User) -> None:
    TotpDevice.objects.filter(user=alice).delete()
    EnrolmentLink(user=alice).issue(lasts=HOUR)
    change_the_password(alice)
    assert EnrolmentLink.objects.filter(user=alice).exists(), "it is still needed"

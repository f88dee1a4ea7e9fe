"""Becoming a customer: fill in a form, follow the link in the mail, go on to two-factor (R1.1).

The answer to a stranger, the hasher's work, the statements and the number of mails are the same for a taken address and
a new one (ASVS V6.3.8).
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import IntegrityError

from accounts.models import Registration, User, normalise_email
from accounts.people.names import check_name
from accounts.roles import Role
from accounts.sign_in import guesses
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.mail_bounds import places_of_mail
from accounts.sign_in.passwords.hashing import make_hash, matches
from accounts.sign_in.passwords.rules import check_new_password
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.compiled import Insert, Select
from foundation.hourly import HourlyBound
from foundation.limiter import limiter
from foundation.mail_links import NO_ROW, LinkInvalid
from foundation.refusals import Refusal
from foundation.request_context import network_of
from foundation.transactions import own_transaction

# From all networks together, in one process and hour.
_REGISTRATIONS = HourlyBound(each=1000, in_all=1000)
_insert_user = Insert(User)
_insert_role = Insert(User.groups.through, ["user", "group"])
_groups: Select[Group] = Select(lambda name: Group.objects.filter(name=name), Group._meta.get_field("name"))


class WrongPassword(Refusal):
    """Not the password chosen at registration."""

    code = "wrong_password"
    text = "This is not the password you chose when you registered."
    detail = "The password is not right."
    status = 422


def register(
    *, first_name: str, last_name: str, email: str, phone: str, address: str, password: str, ip: str | None
) -> None:
    """Take a registration and queue one mail: a link on to two-factor, or a notice if the address is taken. Links that
    were sent to this address before are worthless.

    Beyond a few mails an hour and a day to one address no more are sent, and nothing says so: a stranger must not be
    able to fill a mailbox.

    Raises:
        NameRefused: nobody may have this name.
        ValidationError: the password is too weak.
        TooOften: too many registrations from this network, or from all.
    """
    email = normalise_email(email)
    check_name(first_name, last_name)
    check_new_password(password, User(first_name=first_name, last_name=last_name, email=email))
    limiter.take(f"register:{network_of(ip)}", limiter.Limit(settings.REGISTRATIONS_PER_HOUR, 3600))
    _REGISTRATIONS.require()
    password_hash = make_hash(password)
    try:
        limiter.take_all(places_of_mail("register", email))
    except limiter.TooOften:
        return
    _register(
        first_name=first_name,
        last_name=last_name,
        email=email,
        phone=phone,
        address=address,
        password_hash=password_hash,
    )


@own_transaction
def _register(*, first_name: str, last_name: str, email: str, phone: str, address: str, password_hash: str) -> None:
    Registration.forget_expired()
    registration = Registration(
        email=email,
        first_name=first_name,
        last_name=last_name,
        phone=phone,
        address=address,
        password=password_hash,
    )
    token = registration.issue(lasts=timedelta(hours=settings.REGISTRATION_LINK_HOURS))
    taken = user_by_email(email) is not None
    # Earlier links are worthless now. For a taken address the same statements run, and keep no row.
    Registration.objects.filter(email=email).exclude(pk=NO_ROW if taken else registration.pk).delete()
    if taken:
        outbox.tell("registration_taken", email=email)
    else:
        outbox.tell("registration_link", registration_id=registration.pk, token=token)
    record(Action.REGISTER_REQUESTED, actor=None, actor_label=email, details={"taken": taken})


def confirm(*, token: str, password: str, ip: str | None) -> User:
    """Make the user, a customer, when the link and the password chosen at registration are given together.

    The password is asked since a stranger could have filled in the form with another's address: the owner of the
    address, who gets the mail, must not turn the stranger's registration into a user.

    Raises:
        LinkInvalid
        WrongPassword
        TooOften: too many wrong passwords.
    """
    row = Registration.find(token)
    with guesses.counted(email=f"registration:{row.public_id}", ip=ip) as guess:
        guess.was_right = matches(row.password, password)
    if not guess.was_right:
        raise WrongPassword
    try:
        return _confirm(token)
    except IntegrityError as error:  # two links of one address, followed at the same moment
        raise LinkInvalid from error


@own_transaction
def _confirm(token: str) -> User:
    row = Registration.use_up(token)
    if user_by_email(row.email) is not None:
        raise LinkInvalid
    user = create_user(
        email=row.email,
        password_hash=row.password,
        role=Role.CUSTOMER,
        first_name=row.first_name,
        last_name=row.last_name,
        phone=row.phone,
        address=row.address,
    )
    record(Action.REGISTER_SUCCESS, actor=user, subject=user)
    return user


def create_user(
    *,
    email: str,
    password_hash: str,
    role: Role,
    first_name: str,
    last_name: str = "",
    phone: str = "",
    address: str = "",
    must_change_password: bool = False,
) -> User:
    """Write the user and give them their one role. It decides nothing: the services that call it do, and audit it."""
    user = User(
        email=normalise_email(email),
        password=password_hash,
        first_name=first_name,
        last_name=last_name,
        phone=phone,
        address=address,
        must_change_password=must_change_password,
    )
    _insert_user.save(user)
    # One row beside the user's: `groups.set()` would first ask which groups a new user is in.
    _insert_role.execute([(user.pk, _groups.instances(role.value)[0].pk)])
    return user

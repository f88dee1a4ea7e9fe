"""Making the first administrator of the bank."""

from accounts.models import User, normalise_email
from accounts.people.names import check_name
from accounts.people.registration import create_user
from accounts.permission import administrators
from accounts.roles import Role
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.passwords.hashing import make_hash
from audit.actions import Action
from audit.services import record
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

FROM_THE_TERMINAL = "terminal"


class AdministratorExists(Refusal):
    """The bank already has an administrator, who makes the others."""

    code = "administrator_exists"
    text = "This bank has an administrator already. With --another you make one more."


class EmailTaken(Refusal):
    code = "email_taken"
    text = "Somebody else signs in with this e-mail address."


def bootstrap_administrator(
    *, email: str, first_name: str, last_name: str, password: str, another: bool = False
) -> User:
    """Make the first administrator of a bank, or `another` beside the existing ones, who can at once be the second
    administrator that some acts need (R5.8); they turn two-factor on at the first sign-in.

    It needs no actor: a person who can run commands on the server can do anything anyway. It is audited as such.

    Raises:
        AdministratorExists, EmailTaken
        NameRefused: nobody can have this name.
    """
    check_name(first_name, last_name)
    return _bootstrap(normalise_email(email), first_name, last_name, make_hash(password), another)


@own_transaction
def _bootstrap(email: str, first_name: str, last_name: str, password_hash: str, another: bool) -> User:
    administrators.queue_up()  # two terminals at once make one
    if not another and User.objects.filter(groups__name=Role.ADMIN.value, is_active=True).exists():
        raise AdministratorExists
    if user_by_email(email) is not None:
        raise EmailTaken
    user = create_user(
        email=email, password_hash=password_hash, role=Role.ADMIN, first_name=first_name, last_name=last_name
    )
    record(
        Action.USER_CREATED,
        actor=None,
        actor_label=FROM_THE_TERMINAL,
        subject=user,
        concerns=user,
        details={"role": Role.ADMIN.value},
    )
    return user

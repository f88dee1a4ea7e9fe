from accounts.models import BankAccount, User


class NotYourAccount(Exception):
    """The account belongs to somebody else. Pages and API answer as if it did not exist: 404 (R1.7)."""

    code = "not_found"


def require_owner(actor: User, account: BankAccount) -> None:
    """Refuse unless `account` is the actor's own.

    Raises:
        NotYourAccount
    """
    if account.owner_id != actor.pk:
        raise NotYourAccount

"""The rows that freeze an account, and the account's status with them. `transfers.accounts.freezing` decides who may;
nothing here moves money."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, QuerySet

from accounts.models import AccountFreeze, AccountStatus, BankAccount, FreezeKind, User

_SHOWN_OF_LIFTED = 5


def standing() -> QuerySet[AccountFreeze]:
    """Return all freezes that are not lifted, oldest first, each with who froze."""
    return AccountFreeze.objects.filter(lifted_at__isnull=True).select_related("frozen_by").order_by("frozen_at", "pk")


def standing_on(*accounts: BankAccount) -> list[AccountFreeze]:
    """Return the freezes of these accounts that are not lifted, oldest first, in one query; no query if no account is
    frozen."""
    frozen = [account.pk for account in accounts if account.status == AccountStatus.FROZEN]
    return list(standing().filter(account__in=frozen)) if frozen else []


def version_of(standing: Iterable[AccountFreeze]) -> int:
    """Return the version of these freezes of one account: the highest of their numbers, 0 for none. A later freeze has
    a higher number, whatever a clock says: it is written under the account's lock."""
    return max((freeze.pk for freeze in standing), default=0)


def version_at(account: BankAccount, moment: datetime) -> int:
    """Return the version of the freezes that the account had at this moment."""
    rows = AccountFreeze.objects.filter(account=account, frozen_at__lte=moment)
    return rows.aggregate(latest=Max("pk"))["latest"] or 0


@dataclass(frozen=True)
class Frozen:
    """A freeze as the account's owner is told: by themselves or by the bank, never why the bank did it."""

    by_its_owner: bool
    since: datetime


def as_its_owner_sees_them(account: BankAccount) -> list[Frozen]:
    """Return who has frozen the account, oldest first: its owner, the bank, or both, each once."""
    found: dict[bool, Frozen] = {}
    for freeze in standing_on(account):
        found.setdefault(freeze.is_by_its_owner, Frozen(freeze.is_by_its_owner, freeze.frozen_at))
    return list(found.values())


def lifted_on(account: BankAccount) -> list[AccountFreeze]:
    """Return the latest freezes of an account that were lifted, newest first, each with who froze and who lifted."""
    rows = AccountFreeze.objects.filter(account=account, lifted_at__isnull=False)
    return list(rows.select_related("frozen_by", "lifted_by").order_by("-frozen_at", "-pk")[:_SHOWN_OF_LIFTED])


def put(account: BankAccount, *, kind: FreezeKind, by: User, reason: str, at: datetime) -> None:
    """Freeze a row that the caller has locked, and which has no freeze of this kind."""
    AccountFreeze.objects.create(account=account, kind=kind.value, frozen_by=by, frozen_at=at, reason=reason)
    account.status = AccountStatus.FROZEN
    account.save(update_fields=["status"])


def lift(
    account: BankAccount,
    freezes: Iterable[AccountFreeze],
    *,
    still: Collection[AccountFreeze],
    by: User,
    reason: str,
    at: datetime,
) -> None:
    """Lift these freezes of a row that the caller has locked; it is active again unless there are `still` others."""
    for freeze in freezes:
        freeze.lifted_by, freeze.lifted_at, freeze.lift_reason = by, at, reason
        freeze.save(update_fields=["lifted_by", "lifted_at", "lift_reason"])
    if not still:
        account.status = AccountStatus.ACTIVE
        account.save(update_fields=["status"])

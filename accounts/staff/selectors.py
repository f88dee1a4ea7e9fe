"""What staff see about people, accounts and the audit log, by their role: on their pages and through the API (R5.4,
R6.4)."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts import bank_accounts
from accounts.account_numbers import InvalidAccountNumber
from accounts.models import BankAccount, PendingAct, User, normalise_email
from accounts.permission import second_person
from accounts.roles import Role, require, with_roles
from audit.actions import Action
from audit.models import AuditEntry
from foundation.paging import Cursor, Page, page_of
from foundation.replica import may_be_behind


@dataclass(frozen=True)
class LogFilters:
    """Which part of the log is wanted; people by their public ids, an account by its full number."""

    action: Action | None = None
    actor: uuid.UUID | None = None
    concerns: uuid.UUID | None = None
    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def customers_among(users: QuerySet[User]) -> QuerySet[User]:
    """Return those of the users who are customers, whatever the order in which the users are read."""
    memberships = User.groups.through.objects.filter(user=OuterRef("pk"), group__name=Role.CUSTOMER.value)
    return users.filter(Exists(memberships))


def seen_by(user: User, people: QuerySet[User]) -> QuerySet[User]:
    """Return the people whom this member of staff may see, with their roles: Support sees customers, not colleagues."""
    rows = with_roles(people)
    return customers_among(rows) if user.role == Role.SUPPORT else rows


@may_be_behind
def people(user: User, *, email: str = "", only_locked: bool = False, after: Cursor | None = None) -> Page[User]:
    """Return the people whom the user may see, newest first; by a full e-mail address if one is given.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "accounts.view_user")
    rows = seen_by(user, User.objects.all())
    if email:
        rows = rows.filter(email=normalise_email(email))
    if only_locked:
        rows = rows.filter(locked_at__isnull=False)
    return page_of(rows, by=("created_at", "pk"), after=after)


def person(user: User, public_id: uuid.UUID) -> User:
    """Return one of the people whom the user may see.

    Raises:
        PermissionDenied, User.DoesNotExist
    """
    require(user, "accounts.view_user")
    return seen_by(user, User.objects.all()).get(public_id=public_id)


def pending_acts(user: User, *, after: Cursor | None = None) -> Page[PendingAct]:
    """Return the acts that wait for a second administrator or take effect soon, newest first.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "accounts.view_pendingact")
    rows = second_person.waiting().select_related("asked_by", "person")
    return page_of(rows, by=("asked_at", "pk"), after=after)


def pending_act(user: User, public_id: uuid.UUID) -> PendingAct:
    """Return one such act, decided or not.

    Raises:
        PermissionDenied, PendingAct.DoesNotExist
    """
    require(user, "accounts.view_pendingact")
    return PendingAct.objects.select_related("asked_by", "person").get(public_id=public_id)


def account_numbered(user: User, number: str) -> BankAccount:
    """Return a customer's account, by its full number.

    Raises:
        PermissionDenied
        BankAccount.DoesNotExist: also for a text that is not an account number.
        DecryptionFailed: the row was tampered with in the database.
    """
    require(user, "accounts.view_bankaccount")
    try:
        account = bank_accounts.find_by_number(number)
    except InvalidAccountNumber as error:
        raise BankAccount.DoesNotExist from error
    if account is None:
        raise BankAccount.DoesNotExist
    return account


@may_be_behind
def log_entries(user: User, filters: LogFilters, *, after: Cursor | None = None) -> Page[AuditEntry]:
    """Return the part of the audit log that the filters let through, newest first, with the public ids of the people in
    it whom the bank still has. A filter that names nobody finds nothing.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "audit.view_auditentry")
    rows: QuerySet[AuditEntry] = AuditEntry.objects.all()
    if filters.action is not None:
        rows = rows.filter(action=filters.action.value)
    for column, public_id in (("actor_id", filters.actor), ("concerns_id", filters.concerns)):
        if public_id is not None:
            found = User.objects.filter(public_id=public_id).first()
            rows = rows.filter(**{column: found.pk}) if found else rows.none()
    if filters.account is not None:
        rows = _about_account(rows, filters.account)
    if filters.since is not None:
        rows = rows.filter(at__gte=filters.since)
    if filters.until is not None:
        rows = rows.filter(at__lt=filters.until)
    named = {"actor_public_id": _public_id("actor_id"), "concerns_public_id": _public_id("concerns_id")}
    return page_of(rows.annotate(**named), by=("at", "pk"), after=after)


def _public_id(column: str) -> Subquery:
    return Subquery(User.objects.filter(pk=OuterRef(column)).values("public_id"))


def _about_account(rows: QuerySet[AuditEntry], number: str) -> QuerySet[AuditEntry]:
    """Return the entries about the account itself; the list of transactions shows what moved on it."""
    account = bank_accounts.find_by_number(number)
    if account is None:
        return rows.none()
    return rows.filter(subject_type=account._meta.model_name, subject_id=str(account.public_id))

"""Filters of the staff's lists by account and by amount (R6.4)."""

from decimal import Decimal
from functools import cache
from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, QuerySet
from django.http import HttpRequest

from accounts import bank_accounts
from accounts.account_numbers import InvalidAccountNumber
from accounts.models import INTERNAL_KINDS, BankAccount, User
from accounts.roles import Role
from accounts.staff.selectors import customers_among
from foundation.admin.filters import NotUnderstood, TypedFilter
from foundation.keys.encryption import DecryptionFailed
from foundation.money import InvalidAmount, parse_typed_amount


@cache
def yes_no_filter(of: BooleanField) -> type[admin.SimpleListFilter]:
    """Return a filter like Django's own for a boolean field, but one that compares with a value: no index serves
    `WHERE is_active`."""

    class YesNoFilter(admin.SimpleListFilter):
        title = str(of.verbose_name)
        parameter_name = f"{of.name}__exact"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [("1", "Yes"), ("0", "No")]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            if self.value() is None:
                return queryset
            is_wanted = {of.name + "__in": [self.value() == "1"]}
            return queryset.filter(**is_wanted) if self.value() in {"0", "1"} else queryset.none()

    return YesNoFilter


class LockedFilter(admin.SimpleListFilter):
    """Only people whom an administrator locked, newest first."""

    title = "locked"
    parameter_name = "locked"
    ordering = ("-locked_at",)

    @classmethod
    def parameters(cls) -> list[str]:
        return [cls.parameter_name]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() is None:
            return queryset
        return queryset.filter(locked_at__isnull=False) if self.value() == "yes" else queryset.none()


class RoleFilter(admin.SimpleListFilter):
    """By role. Nearly everybody is a customer, so customers are filtered along the list, staff are looked up one by
    one."""

    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(role.value, role.value) for role in Role]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() is None:
            return queryset
        if self.value() == Role.CUSTOMER.value:
            return customers_among(queryset)
        staff = User.groups.through.objects.filter(group__name=self.value())
        return queryset.filter(pk__in=staff.values("user_id"))


class OwnerFilter(admin.SimpleListFilter):
    """Customers' accounts or the bank's own. Nearly all are customers', so the filter leaves out the few others."""

    title = "whose"
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("customers", "Customers’"), ("bank", "The bank’s own")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BankAccount]) -> QuerySet[BankAccount]:
        if self.value() is None:
            return queryset
        if self.value() == "customers":
            return queryset.exclude(kind__in=INTERNAL_KINDS)
        return queryset.filter(kind__in=INTERNAL_KINDS if self.value() == "bank" else ())


class AccountFilter(TypedFilter):
    """By an account's number in full, as customers write it; `column` holds the account's id."""

    title = "account"
    inputs = (("account", "Account number, in full"),)
    column = "account_id"

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return self.of_account(rows, self._account())

    def of_account(self, rows: QuerySet[Any], account: BankAccount) -> QuerySet[Any]:
        return rows.filter(**{self.column: account.pk})

    def _account(self) -> BankAccount:
        try:
            account = bank_accounts.find_by_number(self.used_parameters["account"])
        except InvalidAccountNumber as error:
            raise NotUnderstood(str(error)) from error
        except DecryptionFailed as error:
            raise NotUnderstood(
                "This number leads to an account with another: was the database tampered with?"
            ) from error
        if account is None:
            raise NotUnderstood("No account has this number.")
        return account


class SubjectAccountFilter(AccountFilter):
    """For the audit log: what was done to the account itself. The list of transactions shows what moved on it."""

    def of_account(self, rows: QuerySet[Any], account: BankAccount) -> QuerySet[Any]:
        return rows.filter(subject_type=account._meta.model_name, subject_id=str(account.public_id))


class AmountFilter(TypedFilter):
    """From one amount to another, both included, largest first: an order that an index serves."""

    title = "amount"
    inputs = (("amount_from", "From"), ("amount_to", "To"))
    ordering = ("-amount", "-created_at")

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup in (("amount_from", "amount__gte"), ("amount_to", "amount__lte")):
            if name in self.used_parameters:
                rows = rows.filter(**{lookup: self._amount(name)})
        return rows

    def _amount(self, name: str) -> Decimal:
        try:
            return parse_typed_amount(self.used_parameters[name], allow_zero=True)
        except InvalidAmount as error:
            raise NotUnderstood(str(error)) from error

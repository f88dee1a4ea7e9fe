from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts import account_numbers, freezes
from accounts.account_numbers import InvalidAccountNumber
from accounts.models import BankAccount, PendingAct, User
from accounts.permission import second_person
from accounts.roles import may
from accounts.staff.acts import ActingAdmin, offer
from accounts.staff.list_filters import OwnerFilter, RoleFilter, SubjectAccountFilter
from accounts.staff.pending_acts import PENDING_ACTS, in_words
from accounts.staff.people_acts import USER_ACTS
from accounts.staff.selectors import seen_by
from audit.admin import offer_filters
from foundation.admin.read_only import MoneyAdmin
from foundation.keys.encryption import lookup_digests

offer(User, *USER_ACTS)
offer(PendingAct, *PENDING_ACTS)
offer_filters(SubjectAccountFilter)


@admin.register(User)
class UserAdmin(ActingAdmin):
    """Support sees customers, not colleagues (R5.4)."""

    list_display = ("email", "name", "role", "is_active", "locked_at", "created_at")
    list_filter = (RoleFilter,)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_beginnings = ("email",)
    search_folded = ("folded_first_name", "folded_last_name")
    search_help_text = "The beginning of an e-mail address or a name."
    fields = (
        "email",
        "first_name",
        "last_name",
        "role",
        "is_active",
        "locked_at",
        "created_at",
        "last_login",
    )

    about_template = "admin/pending_acts.html"

    def about(self, request: HttpRequest, row: User) -> dict[str, Any]:
        """Show the acts that wait for a second administrator and would change this person."""
        if not may(request.user, "accounts.view_pendingact"):
            return {"pending_acts": []}
        acts = second_person.waiting().filter(person=row).select_related("asked_by", "person").order_by("asked_at")
        return {"pending_acts": [in_words(act) for act in acts]}

    @admin.display
    def name(self, user: User) -> str:
        return user.get_full_name()

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        user: Any = request.user
        return seen_by(user, super().get_queryset(request))


@admin.register(BankAccount)
class BankAccountAdmin(ActingAdmin, MoneyAdmin):
    list_display = ("__str__", "kind", "owner", "status", "balance", "held", "opened_at")
    list_filter = (OwnerFilter, "kind", "status")
    list_select_related = ("owner",)
    date_hierarchy = "opened_at"
    ordering = ("-opened_at",)
    search_path = "owner"
    search_beginnings = ("email",)
    search_folded = ("folded_last_name",)
    search_help_text = "An account number in full, or the beginning of its owner’s e-mail address or last name."
    fields = ("masked_number", "kind", "owner", "status", "balance", "held", "opened_at", "closed_at")
    about_template = "admin/freezes.html"

    def about(self, request: HttpRequest, row: BankAccount) -> dict[str, Any]:
        """Show why it is frozen, on every page that lifts a freeze."""
        return {"freezes": freezes.standing_on(row), "lifted": freezes.lifted_on(row)}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[BankAccount], search_term: str
    ) -> tuple[QuerySet[BankAccount], bool]:
        """Look up a number as customers write it, with spaces or hyphens, by its digest."""
        try:
            number = account_numbers.parse_number(search_term)
        except InvalidAccountNumber:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(Q(number_digest__in=lookup_digests(number))), False


@admin.register(PendingAct)
class PendingActAdmin(ActingAdmin):
    """Acts that one administrator has asked for, and a second one decides (R5.8)."""

    list_display = ("asked_at", "what", "asked_by", "person", "state", "effective_at", "decided_by")
    list_filter = ("state",)
    list_select_related = ("asked_by", "person", "decided_by")
    date_hierarchy = "asked_at"
    ordering = ("-asked_at",)
    search_path = "person"
    search_beginnings = ("email",)
    search_folded = ("folded_last_name",)
    search_help_text = "The beginning of the e-mail address or last name of whoever it concerns."
    fields = (
        "asked_at",
        "asked_by",
        "person",
        "state",
        "effective_at",
        "decided_by",
        "decided_at",
        "decision_reason",
    )
    about_template = "admin/pending_act.html"

    @admin.display(description="What")
    def what(self, act: PendingAct) -> str:
        return second_person.kind_of(act).label

    def about(self, request: HttpRequest, row: PendingAct) -> dict[str, Any]:
        return in_words(row)

"""Filters of the staff's lists of the ledger and of orders (R6.4)."""

from accounts.staff.list_filters import AccountFilter
from foundation.admin.filters import PersonFilter


class BegunByFilter(PersonFilter):
    title = "who began it"
    inputs = (("user", "E-mail address"),)
    column = "initiated_by_id"


class OrderedByFilter(PersonFilter):
    title = "who ordered it"
    inputs = (("user", "E-mail address"),)
    column = "initiator_id"


class MovedOnFilter(AccountFilter):
    """Transactions with an entry on the account, in the order of its entries, which their index has."""

    column = "entries__account_id"
    ordering = ("-entries__posted_at",)


class EntriesOfFilter(AccountFilter):
    ordering = ("-sequence",)


class PaidFromFilter(AccountFilter):
    title = "source"
    column = "source_id"

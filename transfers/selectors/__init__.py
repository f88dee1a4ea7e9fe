"""What a user may see of accounts and money, with the joins made (nouns; they write nothing)."""

from transfers.selectors.filtered import (
    Totals,
    filtered_page,
    filtered_rows,
    is_page_key,
    totals_of,
    with_named_accounts,
)
from transfers.selectors.history import PAGE_ROWS, EntryRow, entry_of, history_page, recent_entries
from transfers.selectors.interest import InterestSoFar, interest_so_far
from transfers.selectors.monthly import NoSuchMonth, Statement, StatementTooLong, statement_for, statement_months
from transfers.selectors.own_accounts import DailyUse, account_by_number, account_of, accounts_of, daily_use
from transfers.selectors.payees import (
    NamedPayee,
    PayeeRow,
    named_payee,
    payable_number,
    payee_row,
    payees_of,
    typed_number,
)
from transfers.selectors.pictures import (
    Balances,
    MonthFlow,
    Overview,
    balances_over_time,
    months_in_and_out,
    overview_of,
)
from transfers.selectors.receipts import (
    Receipt,
    WaitingOrder,
    order_of_key,
    order_to_repeat,
    receipt_for,
    waiting_orders,
)

__all__ = [
    "PAGE_ROWS",
    "Balances",
    "DailyUse",
    "EntryRow",
    "InterestSoFar",
    "MonthFlow",
    "NamedPayee",
    "NoSuchMonth",
    "Overview",
    "PayeeRow",
    "Receipt",
    "Statement",
    "StatementTooLong",
    "Totals",
    "WaitingOrder",
    "account_by_number",
    "account_of",
    "accounts_of",
    "balances_over_time",
    "daily_use",
    "entry_of",
    "filtered_page",
    "filtered_rows",
    "history_page",
    "interest_so_far",
    "is_page_key",
    "months_in_and_out",
    "named_payee",
    "order_of_key",
    "order_to_repeat",
    "overview_of",
    "payable_number",
    "payee_row",
    "payees_of",
    "receipt_for",
    "recent_entries",
    "statement_for",
    "statement_months",
    "totals_of",
    "typed_number",
    "waiting_orders",
    "with_named_accounts",
]

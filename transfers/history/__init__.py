"""What a user may see of accounts and money, with the joins made (nouns; they write nothing)."""

from transfers.history.monthly import NoSuchMonth, Statement, StatementTooLong, statement_for, statement_months
from transfers.history.own_accounts import (
    DailyUse,
    account_by_number,
    account_of,
    accounts_of,
    cash_in_use,
    daily_use,
)
from transfers.history.pictures import Balances, MonthFlow, Overview, balances_over_time, months_in_and_out, overview_of
from transfers.history.receipts import (
    Receipt,
    WaitingOrder,
    order_to_cancel,
    order_to_repeat,
    receipt_for,
    receipt_of,
    waiting_deposits,
    waiting_orders,
)
from transfers.history.rows import (
    PAGE_ROWS,
    EntryRow,
    entry_of,
    history_page,
    movement_referred_to,
    recent_entries,
)
from transfers.history.search import Totals, filtered_page, filtered_rows, is_page_key, totals_of, with_named_accounts
from transfers.history.shown import overview_version, version_of

__all__ = [
    "PAGE_ROWS",
    "Balances",
    "DailyUse",
    "EntryRow",
    "MonthFlow",
    "NoSuchMonth",
    "Overview",
    "Receipt",
    "Statement",
    "StatementTooLong",
    "Totals",
    "WaitingOrder",
    "account_by_number",
    "account_of",
    "accounts_of",
    "balances_over_time",
    "cash_in_use",
    "daily_use",
    "entry_of",
    "filtered_page",
    "filtered_rows",
    "history_page",
    "is_page_key",
    "months_in_and_out",
    "movement_referred_to",
    "order_to_cancel",
    "order_to_repeat",
    "overview_of",
    "overview_version",
    "receipt_for",
    "receipt_of",
    "recent_entries",
    "statement_for",
    "statement_months",
    "totals_of",
    "version_of",
    "waiting_deposits",
    "waiting_orders",
    "with_named_accounts",
]

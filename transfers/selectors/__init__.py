"""What a user may see of accounts and money, with the joins made (nouns; they write nothing)."""

from transfers.selectors.filtered import FilteredPage, Totals, filtered_page, filtered_rows, totals_of
from transfers.selectors.history import PAGE_ROWS, EntryRow, HistoryPage, entry_of, history_page, recent_entries
from transfers.selectors.monthly import NoSuchMonth, Statement, StatementTooLong, statement_for, statement_months
from transfers.selectors.own_accounts import DailyUse, account_of, accounts_of, daily_use
from transfers.selectors.receipts import Receipt, order_of_key, receipt_for

__all__ = [
    "PAGE_ROWS",
    "DailyUse",
    "EntryRow",
    "FilteredPage",
    "HistoryPage",
    "NoSuchMonth",
    "Receipt",
    "Statement",
    "StatementTooLong",
    "Totals",
    "account_of",
    "accounts_of",
    "daily_use",
    "entry_of",
    "filtered_page",
    "filtered_rows",
    "history_page",
    "order_of_key",
    "receipt_for",
    "recent_entries",
    "statement_for",
    "statement_months",
    "totals_of",
]

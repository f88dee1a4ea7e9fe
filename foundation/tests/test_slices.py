"""Large tables are read in slices that miss no row and hold none twice (R9.2)."""

from typing import Any

import pytest
from django.apps import apps

from foundation import slices
from foundation.slices import batches, ranges, within
from tests.tables import in_one_world

# A table of another floor, which this one does not import.
BankAccount: Any = apps.get_model("accounts.BankAccount")


@in_one_world("size", [1, 2, 5, 10, 11])
def test_ranges_cover_every_row_once(db: None, size: int) -> None:
    """Ten accounts: the last slice is whole, short, or the only one."""
    accounts = BankAccount.objects.order_by("-balance")
    ids = list(BankAccount.objects.order_by("pk").values_list("pk", flat=True))
    assert len(ids) == 10
    cut = [list(within(accounts, *ends).order_by("pk")) for ends in ranges(accounts, size=size)]
    assert [row.pk for one in cut for row in one] == ids
    assert [len(one) for one in cut] == [size] * (10 // size) + [10 % size] * (10 % size > 0)


def test_there_is_no_slice_of_nothing(db: None) -> None:
    assert list(ranges(BankAccount.objects.filter(pk=0), size=3)) == []
    assert list(batches(BankAccount.objects.filter(pk=0))) == [[]]


def test_what_comes_while_it_cuts_is_left_out(db: None) -> None:
    cutting = ranges(BankAccount.objects.all(), size=9)
    next(cutting)
    last = BankAccount.objects.order_by("-pk")[0]
    BankAccount(kind="fees", ledger_code="later").save()
    assert [high for _, high in cutting] == [last.pk]


def test_batches_hold_every_row_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "BATCH", 4)
    read = list(batches(BankAccount.objects.all(), by="public_id"))
    assert [len(batch) for batch in read] == [4, 4, 2]
    assert len({row.pk for batch in read for row in batch}) == 10

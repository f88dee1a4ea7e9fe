"""A query that SQL Server would refuse or run wrongly is caught in whatever test runs it (R9.4; issue 7, Shows 1).

`plugin` checks every query of every test against the rules; here are bad ones of each known kind, and the lists of the
staff's area, each in every way.
"""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.utils import timezone

from tests.admin_lists import all_views, samples_for
from tests.mssql.compiled import Listener
from transfers.models import Entry


def test_every_list_of_the_staffs_area_is_sound_in_every_way_to_look_at_it(
    alice: Any, audrey: Any, open_account: Any, browser_of: Any
) -> None:
    """R5.1, R5.4: every filter, date, search, order and page in the registry; other tests walk through the customers'
    pages and the API, and are checked in the same way."""
    if connection.vendor == "microsoft":
        pytest.skip("the server itself is asked")
    number = open_account(alice, "10.00").number_grouped
    entry = Entry.objects.select_related("transaction").latest("pk")
    samples = samples_for(email=alice.email, number=number, reference=entry.transaction.reference)
    views, browser = all_views(samples, timezone.now()), browser_of(audrey)
    listener = Listener()
    with listener.listening():
        for view in views:
            assert browser.get(view.url).status_code == 200, str(view)
        for page in admin.site._registry.values():
            for column in range(1, len(page.list_display) + 1):
                url = f"/admin/{page.model._meta.app_label}/{page.model._meta.model_name}/"
                assert browser.get(url, {"o": f"-{column}"}).status_code == 200, url
    assert listener.take() == []
    for page in admin.site._registry.values():
        assert any(f"FROM [{page.model._meta.db_table}]" in text for text in listener.statements)
    assert len(listener.statements) > 100

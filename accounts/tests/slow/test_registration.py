"""Links of a registration, all followed at the same moment."""

import pytest
from django.test import Client

from accounts.models import Registration, User
from accounts.people import registration
from audit.models import AuditEntry
from tests.acts import at_once, link_for, register
from tests.plugin import PASSWORD


@pytest.mark.django_db(transaction=True)
def test_links_followed_at_the_same_moment_make_one_user() -> None:
    # R1.1: through the service, so that a request that waits for the links of the address finds the user, too.
    tokens = []
    for _ in range(3):
        register(Client())
        tokens.append(link_for("nora@example.com").strip("/").rpartition("/")[2])
    assert len(set(tokens)) == 3, "the mails are in order, so the newest is each time the one just made"
    results = at_once(
        *[lambda t=token: registration.confirm(token=t, password=PASSWORD, ip="203.0.113.1") for token in tokens * 2]
    )
    names = sorted(type(result).__name__ for result in results)
    assert names == ["LinkInvalid"] * 5 + ["User"]
    assert User.objects.get().email == "nora@example.com"
    assert not Registration.objects.exists()
    assert AuditEntry.objects.filter(action="REGISTER_SUCCESS").count() == 1

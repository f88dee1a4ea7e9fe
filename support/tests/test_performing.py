"""What the approval of each kind of request does, with the real services, once and in one transaction (R4.2)."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import AccountFreeze, AccountStatus, BankAccount, User
from accounts.people import profile
from accounts.permission.authority import ApprovedRequest
from audit.models import AuditEntry
from support.models import RequestKind, ServiceRequest
from support.requests import services as service
from tests.asvs import proves
from tests.staff_acts import an_origin, fresh_code
from transfers import history as transfer_selectors
from transfers.accounts import freezing

IDENTITY = {"first_name": "Alicia", "last_name": "O'Brien", "address": "Hafenstraße 9\nHamburg"}


def approve(clerk: Any, request: Any) -> None:
    service.approve_request(actor=clerk, public_id=request.public_id, reason="Seen the documents")
    assert ServiceRequest.objects.get(pk=request.pk).state == "completed"


def status_of(account: Any) -> str:
    return BankAccount.objects.get(pk=account.pk).status


def test_what_approval_does_is_tried_for_every_kind() -> None:
    """A service knows its verb by the kind's value: only an approval shows that the two agree. Name a new kind here
    once it has a test below."""
    here = {"freeze_account", "unfreeze_account", "close_account", "update_identity", "reset_pin", "raise_daily_limit"}
    in_test_lost_factor = {"reset_two_factor"}
    assert here | in_test_lost_factor == set(RequestKind), "a new kind: try its approval here, and name it above"


def test_an_account_is_frozen_then_unfrozen_then_closed(
    alice: Any, sam: Any, open_account: Any, request_of: Any
) -> None:
    account = open_account(alice)
    approve(sam, request_of(alice, "freeze_account", account=account))
    assert status_of(account) == AccountStatus.FROZEN
    account.refresh_from_db()
    approve(sam, request_of(alice, "unfreeze_account", account=account, reason="Found it again"))
    assert status_of(account) == AccountStatus.ACTIVE
    account.refresh_from_db()
    approve(sam, request_of(alice, "close_account", account=account))
    assert status_of(account) == AccountStatus.CLOSED


def test_a_name_and_an_address_are_changed(alice: Any, sam: Any, request_of: Any) -> None:
    approve(sam, request_of(alice, "update_identity", payload=IDENTITY, reason="Married"))
    person = User.objects.get(pk=alice.pk)
    assert {name: getattr(person, name) for name in IDENTITY} == IDENTITY
    assert person.phone == alice.phone


def test_a_name_alone_leaves_the_address_that_was_changed_meanwhile(alice: Any, sam: Any, request_of: Any) -> None:
    # R1.8: an address changes at once on the profile; the approval of a name must not bring the old one back.
    named = request_of(alice, "update_identity", payload=IDENTITY | {"address": alice.address}, reason="Married")
    profile.update_details(actor=alice, address="Am Markt 1", code=fresh_code(alice), origin=an_origin())
    approve(sam, named)
    person = User.objects.get(pk=alice.pk)
    assert (person.get_full_name(), person.address) == ("Alicia O'Brien", "Am Markt 1")


def test_a_locked_pin_is_reset(alice: Any, sam: Any, request_of: Any) -> None:
    alice.pin_hash, alice.pin_failures, alice.pin_locked_at = make_password("483920"), 3, timezone.now()
    alice.save()
    approve(sam, request_of(alice, "reset_pin"))
    person = User.objects.get(pk=alice.pk)
    assert (person.has_pin, person.pin_failures, person.pin_locked_at) == (False, 0, None)


def test_a_daily_limit_is_raised(alice: Any, sam: Any, request_of: Any) -> None:
    approve(sam, request_of(alice, "raise_daily_limit", payload={"amount": "40000.00"}, reason="A car"))
    assert transfer_selectors.daily_use(alice).limit == Decimal("40000.00")


def test_the_change_and_its_request_are_named_in_one_audit_trail(alice: Any, sam: Any, request_of: Any) -> None:
    request = request_of(alice)
    approve(sam, request)
    actions = list(AuditEntry.objects.filter(actor_id=sam.pk).order_by("id").values_list("action", flat=True))
    assert actions == ["REQUEST_APPROVED", "ACCOUNT_FROZEN", "REQUEST_COMPLETED"]


@proves("V8.2.2")
def test_a_clerk_has_no_way_to_the_account_but_an_approved_request(
    alice: Any, sam: Any, open_account: Any, request_of: Any
) -> None:
    account, other = open_account(alice), open_account(alice)
    with pytest.raises(PermissionDenied):
        freezing.freeze_account(actor=sam, account=account, reason="Because")
    for verb, subject in (("unfreeze_account", account), ("freeze_account", other), ("freeze_account", alice)):
        authority = ApprovedRequest(verb=verb, subject=subject, reference="x")
        with pytest.raises(PermissionDenied):
            freezing.freeze_account(actor=sam, account=account, reason="Because", authority=authority)
    assert status_of(account) == status_of(other) == AccountStatus.ACTIVE


@pytest.mark.django_db(transaction=True)
def test_nothing_is_done_outside_the_transaction_that_approves(alice: Any, sam: Any, request_of: Any) -> None:
    request = request_of(alice)
    with pytest.raises(RuntimeError, match="join"):
        service.perform(request, actor=sam, reason="Because")
    assert not AccountFreeze.objects.filter(account=request.account_id, kind="support").exists()


def test_a_request_of_the_wrong_shape_is_not_guessed_at(alice: Any, sam: Any) -> None:
    request = ServiceRequest(customer=alice, kind=RequestKind.FREEZE_ACCOUNT)
    with pytest.raises(ValueError, match="about an account"):
        service.perform(request, actor=sam, reason="Because")

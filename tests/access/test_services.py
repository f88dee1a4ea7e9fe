"""What every service of the staff refuses, whoever calls it, and what it leaves in the audit log (R1.5, R4.2, R5.1,
R5.2, R6.1, R6.2)."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied

from accounts.models import User
from accounts.permission.reasons import ReasonMissing, ReasonTooLong
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.refusals import NotYourself
from tests.access.doors import undone
from tests.access.services import STAFF
from tests.access.world import World
from tests.acts import mails
from tests.asvs import proves
from tests.staff_acts import REASON, approved, stored

pytestmark = pytest.mark.django_db

REASONED = {name: row for name, row in STAFF.items() if row.reason_name}
BLANK = {
    "empty": "",
    "spaces": " \t\n ",
    "no-break": "\u00a0\u2003",
    "zero-width": "\u200b\u200d\ufeff\u2060",
    "dots": "…",
}


@pytest.mark.parametrize("state", [{"is_active": False}, {"locked_at": "2026-11-01T00:00:00Z"}])
def test_a_locked_or_deactivated_administrator_may_do_nothing(
    state: dict[str, Any], world: World, ada: Any, subtests: Any
) -> None:
    # R1.5
    User.objects.filter(pk=ada.pk).update(**state)
    for name, row in STAFF.items():
        with subtests.test(name), undone(), pytest.raises(PermissionDenied):
            row.call(world, stored(ada))


def test_none_without_a_reason(world: World, ada: Any, subtests: Any) -> None:
    # R5.1: bad input is a clear refusal, nothing half done.
    before = AuditEntry.objects.count()
    for name, row in REASONED.items():
        for kind, reason in BLANK.items():
            with subtests.test(f"{name}: {kind}"), undone():
                with pytest.raises(ReasonMissing, match="Say why"):
                    row.call(world, ada, reason)
                assert AuditEntry.objects.count() == before


def test_a_reason_has_300_characters_at_most(world: World, ada: Any, subtests: Any) -> None:
    for name, row in REASONED.items():
        with subtests.test(name), undone():
            with pytest.raises(ReasonTooLong, match="300"):
                row.call(world, ada, "x" * 301)
            row.call(world, ada, "x" * 300)


def test_the_reason_is_in_the_audit_log_and_in_no_mail(world: World, ada: Any, subtests: Any) -> None:
    # R6.1; text for colleagues may be about the customer.
    told_before = len(mails())
    addresses = {world.alice.email, world.larry.email, world.bob.email, "alicia@example.com"}
    for name, row in REASONED.items():
        with subtests.test(name), undone():
            row.call(world, ada)
            details = [entry.details for entry in AuditEntry.objects.filter(actor_id=ada.pk)]
            kept = [one.get("reason", one.get("note")) for one in details].count(REASON)
            # For the approval, and its act; for acts done at once, and for those that wait.
            assert kept == (2 if name in {"approve_request", "edit_user"} else 1)
            told: Any = mails()[told_before:]
            assert not row.tells or row.to_colleagues or {mail.to[0] for mail in told} & addresses
            # Administrators do read it: they judge acts that wait for a second one.
            customers = [mail for mail in told if mail.to[0] not in {ada.email, "archie@example.com"}]
            shown = [mail for mail in customers if REASON in mail.message + mail.html_message + mail.subject]
            assert bool(shown) == (name == "reject_order"), "which is written to the customer"


@proves("V16.2.5")
def test_no_full_number_phone_or_address_is_in_the_audit_log(world: World, ada: Any, subtests: Any) -> None:
    # R6.2: not even if a clerk types them into the reason.
    account = world.account
    reason = f"Account {account.number_grouped} or {account.number}, phone {world.alice.phone}"
    for name, row in STAFF.items():
        with subtests.test(name), undone():
            row.call(world, ada, reason)
            written = " ".join(str(entry.details) for entry in AuditEntry.objects.all())
            digits = written.replace(" ", "").replace("-", "")
            assert str(account.number) not in digits
            assert "49305550101" not in digits
            assert "Lindenallee" not in written


FAULTS = {
    "verb": lambda verb, subject: approved("fly", subject),
    "subject": lambda verb, subject: approved(verb, type(subject).objects.exclude(pk=subject.pk).first()),
    "nothing": lambda verb, subject: None,
}


@proves("V8.2.2")
def test_an_approved_request_is_leave_for_its_own_verb_and_row_only(world: World, sam: Any, subtests: Any) -> None:
    # R4.2: forged or mixed up.
    for name, row in STAFF.items():
        for fault, approve in FAULTS.items() if row.verb else ():
            with subtests.test(f"{name}: {fault}"), undone(), pytest.raises(PermissionDenied):
                row.call(world, sam, REASON, approve)


@proves("V8.2.1")
def test_nobody_does_any_of_it_to_themselves(world: World, subtests: Any) -> None:
    # R5.2: Alice has become an administrator behind the services' back, and still has her accounts.
    world.alice.groups.set([Group.objects.get(name=Role.ADMIN.value)])
    world.larry = world.alice
    for name, row in STAFF.items():
        # An account for oneself is opened by another right; each movement has its own test of this.
        if name not in {"open_account", "reverse_transaction", "reverse_or_ask"}:
            with subtests.test(name), undone(), pytest.raises(NotYourself):
                row.call(world, stored(world.alice))

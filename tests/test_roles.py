"""Roles are groups, one for each user; deny by default (R1.7)."""

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import roles
from accounts.models import AccountKind, User
from accounts.roles import STAFF_ROLES, Role, _permissions_of, may, require
from accounts.sign_in.axes import CountedPasswordBackend
from tests.access.visitors import granted
from tests.asvs import proves
from transfers import roles as transfer_roles
from transfers.accounts import opening


def permissions_of(role: Role) -> set[str]:
    rows = Permission.objects.filter(group__name=role.value).values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


@pytest.mark.django_db
def test_the_four_groups_are_made_by_migrations_with_exactly_their_permissions() -> None:
    # R1.7
    assert set(Group.objects.values_list("name", flat=True)) == {"Customer", "Support", "Auditor", "Admin"}
    for role in Role:
        assert permissions_of(role) == granted(role), f"GRANTS of {role} changed: a migration has to call grant()"


# The permissions of each role, repeated by hand: a grant that is changed by mistake opens a door.
WHO_MAY = {
    "accounts.change_role": "Admin",
    "accounts.decide_pendingact": "Admin",
    "accounts.edit_user": "Admin",
    "accounts.freeze_account": "Admin",
    "accounts.lock_user": "Admin",
    "accounts.unfreeze_account": "Admin",
    "accounts.unlock_user": "Admin",
    "accounts.view_bankaccount": "Support Auditor Admin",
    "accounts.view_pendingact": "Auditor Admin",
    "accounts.view_user": "Support Auditor Admin",
    "audit.export_auditentry": "Auditor Admin",
    "audit.view_auditblock": "Auditor Admin",
    "audit.view_auditentry": "Auditor Admin",
    "support.decide_request": "Support Admin",
    "support.file_request": "Customer",
    "support.handle_ticket": "Support Admin",
    "support.open_ticket": "Customer",
    "support.view_servicerequest": "Support Auditor Admin",
    "support.view_ticket": "Support Auditor Admin",
    "transfers.close_fraud_alert": "Support Admin",
    "transfers.decide_held_transfer": "Support Admin",
    "transfers.deposit_at_counter": "Support Admin",
    "transfers.deposit_own": "Customer",
    "transfers.export_transactions": "Auditor Admin",
    "transfers.open_account_for_customer": "Admin",
    "transfers.open_own_account": "Customer",
    "transfers.reverse_transaction": "Admin",
    "transfers.transfer_own_money": "Customer",
    "transfers.view_entry": "Auditor Admin",
    "transfers.view_fraudalert": "Support Auditor Admin",
    "transfers.view_transaction": "Auditor Admin",
    "transfers.view_transferorder": "Support Auditor Admin",
    "transfers.withdraw_at_counter": "Support Admin",
    "transfers.withdraw_own": "Customer",
}


def test_the_grants_are_these() -> None:
    # R1.7: what the walk over all doors (tests/access) takes for granted.
    names = {name for role in Role for name in granted(role)}
    there_are = {name: {role.value for role in Role if name in granted(role)} for name in names}
    told = {name: set(who.split()) for name, who in WHO_MAY.items()}
    assert there_are == told, (
        "a grant has changed: a migration has to call grant(), and WHO_MAY of tests/test_roles.py says who may what now"
    )


@pytest.mark.django_db
def test_a_grant_that_no_migration_wrote_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert roles.check_grants(databases=["default"]) == []
    monkeypatch.setitem(roles.GRANTS, Role.ADMIN, (*roles.GRANTS[Role.ADMIN], "accounts.praise_account"))
    assert roles.check_grants() == [], "without --database nothing is asked"
    [found] = roles.check_grants(databases=["default"])
    assert "Admin and accounts.praise_account" in found.msg
    assert "A migration has to call grant()" in found.msg
    MigrationRecorder.Migration.objects.filter(app="support").order_by("-id")[0].delete()
    assert roles.check_grants(databases=["default"]) == [], "`migrate` checks first, and has to be able to mend it"


def test_the_newest_permissions_of_each_app_are_granted_by_a_migration(repository: Path) -> None:
    for app in ("accounts", "support", "transfers"):
        paths = (repository / app / "migrations").glob("0*.py")
        texts = {path.name: path.read_text(encoding="utf-8") for path in paths}
        declares = max(name for name, text in texts.items() if '"permissions"' in text)
        grants = max(name for name, text in texts.items() if "grant(apps, GRANTS)" in text)
        assert declares <= grants, f"{app}/migrations/{declares} has a new permission: grant(apps, GRANTS) in it"


@pytest.mark.django_db
def test_staff_cannot_move_money_and_customers_cannot_look_around() -> None:
    # R1.7, R5.4: support sees no audit log, auditors change nothing, only administrators change people.
    money = {"open_own_account", "deposit_own", "withdraw_own", "transfer_own_money"}
    people = {"lock_user", "unlock_user", "change_role", "edit_user", "freeze_account", "unfreeze_account"}
    for role in STAFF_ROLES:
        assert not money & {name.partition(".")[2] for name in permissions_of(role)}
        changes = people & {name.partition(".")[2] for name in permissions_of(role)}
        assert changes == (people if role == Role.ADMIN else set())
    assert all(name.partition(".")[2].startswith(("view_", "export_")) for name in permissions_of(Role.AUDITOR))
    assert not any("view_" in name for name in permissions_of(Role.CUSTOMER))
    assert "audit.view_auditentry" not in permissions_of(Role.SUPPORT)


def test_every_user_has_the_one_role_they_were_made_with(alice: Any, sam: Any, audrey: Any, ada: Any, db: Any) -> None:
    # R1.7
    cast = {alice: Role.CUSTOMER, sam: Role.SUPPORT, audrey: Role.AUDITOR, ada: Role.ADMIN}
    for user, role in cast.items():
        assert user.role == role
        assert user.groups.count() == 1
        assert user.is_staff == (role != Role.CUSTOMER)
        assert not user.is_superuser


@proves("V8.3.3")
def test_may_asks_the_role_and_nothing_else(alice: Any, sam: Any) -> None:
    # R1.7
    assert may(alice, "transfers.transfer_own_money")
    assert not may(alice, "audit.view_auditentry")
    assert not may(sam, "transfers.transfer_own_money")
    assert not may(alice, "transfers.no_such_thing")
    assert not may(AnonymousUser(), "transfers.transfer_own_money")


@proves("V2.2.2", "V8.3.1")
def test_require_refuses_what_may_would(alice: Any) -> None:
    # R1.7
    require(alice, "transfers.deposit_own")
    with pytest.raises(PermissionDenied):
        require(alice, "accounts.view_user")


@proves("V8.3.1", "V8.3.3")
def test_being_a_superuser_passes_no_service(make_user: Any) -> None:
    # R1.7
    root = make_user("Root", Role.ADMIN)
    root.is_superuser = True
    root.save()
    assert root.has_perm("transfers.transfer_own_money"), "Django itself would let them"
    assert not may(root, "transfers.transfer_own_money")
    with pytest.raises(PermissionDenied):
        opening.open_account(actor=root, kind=AccountKind.CHECKING, idempotency_key="k")


def test_a_permission_given_to_the_person_opens_nothing(sam: Any) -> None:
    # R1.7: decided by role.
    sam.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assert not may(User.objects.get(pk=sam.pk), "audit.view_auditentry")


@pytest.mark.parametrize("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_locked_and_inactive_users_may_do_nothing(alice: Any, state: dict[str, Any]) -> None:
    # R1.5
    for name, value in state.items():
        setattr(alice, name, value)
    assert not may(alice, "transfers.transfer_own_money")
    assert not alice.can_sign_in
    with pytest.raises(PermissionDenied):
        opening.open_account(actor=alice, kind=AccountKind.CHECKING, idempotency_key="k")


def test_a_new_role_counts_from_the_next_request_on(alice: Any) -> None:
    # R1.7
    assert may(alice, "transfers.transfer_own_money")
    alice.groups.set([Group.objects.get(name="Auditor")])
    again = User.objects.get(pk=alice.pk)
    assert again.role == Role.AUDITOR
    assert may(again, "audit.view_auditentry")
    assert not may(again, "transfers.transfer_own_money")


def test_a_user_whom_no_service_made_has_no_role(db: Any) -> None:
    # R1.7: deny by default.
    nobody = User(email="nobody@example.com", first_name="Nobody")
    nobody.save()
    assert nobody.role is None
    assert not nobody.is_staff
    assert not may(nobody, "transfers.open_own_account")


@pytest.mark.django_db
def test_granting_again_changes_nothing_and_makes_what_is_missing() -> None:
    # R1.7: migrations run before Django makes the permissions of a model.
    from django.apps import apps

    before = {role: permissions_of(role) for role in Role}
    Permission.objects.filter(codename__in=["view_user", "open_own_account"]).delete()
    roles.grant(apps, roles.GRANTS)
    roles.grant(apps, transfer_roles.GRANTS)
    assert {role: permissions_of(role) for role in Role} == before
    assert Permission.objects.get(codename="view_user").name == "Can view user"
    assert Permission.objects.get(codename="open_own_account").name == "Can open and close accounts of their own"


@pytest.mark.django_db
def test_a_permission_that_no_model_declares_cannot_be_granted() -> None:
    # R1.7: a typing mistake must not open or close a door silently.
    from django.apps import apps

    with pytest.raises(LookupError, match=r"accounts declares the permission fly"):
        roles.grant(apps, {Role.ADMIN: ("accounts.fly",)})


def test_a_user_in_two_groups_has_no_role_and_may_do_nothing(alice: Any) -> None:
    # R1.7: one role per user. Put into another group behind the services' back, a user loses both.
    alice.groups.add(Group.objects.get(name=Role.ADMIN.value))
    alice = type(alice).objects.get(pk=alice.pk)
    assert alice.role is None
    assert not alice.is_staff
    assert not may(alice, "audit.view_auditentry")
    assert not may(alice, "transfers.transfer_own_money")


def test_a_session_reads_its_user_with_role_and_permissions_in_one_statement(alice: Any, sam: Any) -> None:
    # R1.7, R2.4: and it reads only what the user may.
    for user in (alice, sam):
        role = user.role
        with CaptureQueriesContext(connection) as captured:
            read = CountedPasswordBackend().get_user(user.pk)
            assert read is not None
            assert read.role == role
            may(read, "accounts.view_user")
        assert len(captured) == 1
        rows = Permission.objects.filter(group__user=user).select_related("content_type")
        assert _permissions_of(read) == {f"{each.content_type.app_label}.{each.codename}" for each in rows}
        assert _permissions_of(read) == _permissions_of(User.objects.get(pk=user.pk)) != set()


@pytest.mark.parametrize("groups", [[], ["Customer", "Admin"]])
def test_a_session_of_a_user_without_one_role_may_do_nothing(alice: Any, groups: list[str]) -> None:
    # R1.7
    alice.groups.set(Group.objects.filter(name__in=groups))
    read = CountedPasswordBackend().get_user(alice.pk)
    assert read is not None
    assert read.role is None
    assert _permissions_of(read) == frozenset()


def test_a_role_without_permissions_is_a_role(alice: Any) -> None:
    Group.objects.get(name="Customer").permissions.clear()
    read = CountedPasswordBackend().get_user(alice.pk)
    assert read is not None
    assert read.role == Role.CUSTOMER
    assert not may(read, "transfers.open_own_account")


@pytest.mark.parametrize("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_a_session_of_somebody_locked_out_has_no_user(alice: Any, state: dict[str, Any]) -> None:
    # R1.5
    User.objects.filter(pk=alice.pk).update(**state)
    assert CountedPasswordBackend().get_user(alice.pk) is None
    assert CountedPasswordBackend().get_user(999_999) is None


@pytest.mark.django_db
def test_granting_again_takes_back_what_is_no_longer_granted() -> None:
    # R1.7: a migration that takes a permission from a role takes it in existing banks, too.
    roles.grant(apps, {Role.SUPPORT: ("accounts.view_user",)})
    support = Group.objects.get(name="Support").permissions
    held = support.filter(content_type__app_label="accounts").values_list("codename", flat=True)
    assert list(held) == ["view_user"]
    assert Group.objects.get(name="Customer").permissions.filter(content_type__app_label="transfers").exists()

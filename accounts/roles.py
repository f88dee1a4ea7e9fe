"""Roles are Django groups with permissions, and the service checks the permission (R1.7).

`may()` looks only at the role: a superuser flag opens nothing here.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.core import checks
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import F, Func, OuterRef, Prefetch, Subquery, TextField

from foundation.compiled import Select


class Role(StrEnum):
    """The four groups; the value is the group's name."""

    CUSTOMER = "Customer"
    SUPPORT = "Support"
    AUDITOR = "Auditor"
    ADMIN = "Admin"


STAFF_ROLES = frozenset({Role.SUPPORT, Role.AUDITOR, Role.ADMIN})

_LOOKING = (
    "accounts.view_user",
    "accounts.view_bankaccount",
    "accounts.view_pendingact",
    "audit.view_auditentry",
    "audit.view_auditblock",
    "audit.export_auditentry",
)

GRANTS: dict[Role, tuple[str, ...]] = {
    Role.CUSTOMER: (),
    Role.SUPPORT: ("accounts.view_user", "accounts.view_bankaccount"),
    Role.AUDITOR: _LOOKING,
    Role.ADMIN: (
        *_LOOKING,
        "accounts.lock_user",
        "accounts.unlock_user",
        "accounts.change_role",
        "accounts.edit_user",
        "accounts.decide_pendingact",
        "accounts.freeze_account",
        "accounts.unfreeze_account",
    ),
}


def may(user: Any, permission: str) -> bool:
    """Return whether the user's role has `permission` (`app.codename`); inactive and locked users have none."""
    if not user.is_authenticated or not user.is_active or user.locked_at is not None:
        return False
    return permission in _permissions_of(user)


def require(user: Any, permission: str) -> None:
    """Refuse unless `may()`.

    Raises:
        PermissionDenied: pages and API answer 403.
    """
    if not may(user, permission):
        raise PermissionDenied(f"{user} may not {permission}.")


def require_any_role(user: Any) -> None:
    """Refuse unless the user has a role and may sign in: for acts that everybody may do on their own data.

    Raises:
        PermissionDenied
    """
    if not user.is_authenticated or not user.can_sign_in or user.role is None:
        raise PermissionDenied(f"{user} has no role.")


class _Names(Func):
    """The permissions of all rows as one text, with spaces between; Django has its own for all engines from 6.0 on.

    SQL Server makes at most 8,000 bytes of it unless it is told that there may be more. It is not an `Aggregate`, since
    it covers all rows, and a GROUP BY would make mssql-django write every parameter again.
    """

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ' ')"
    arg_joiner = " || '.' || "
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **context)

    def as_microsoft(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "%(function)s(CAST(%(expressions)s AS nvarchar(max)), ' ')"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" + '.' + ", **context)


def annotated(users: Any) -> Any:
    """Return a row for each group of a user, or one with NULLs, for `keep()`."""
    of_group = Permission.objects.filter(group=OuterRef("groups")).order_by()
    names = of_group.values(_names=_Names("content_type__app_label", "codename"))
    return users.annotate(_group=F("groups__name"), _permissions=Subquery(names))


def role_of(user: Any) -> Role | None:
    """Return the user's one role; None for a user in no group, or in several."""
    if hasattr(user, "_role_name"):
        name = user._role_name
    else:
        groups = user._groups_read if hasattr(user, "_groups_read") else user.groups.all()
        names = [group.name for group in groups]
        name = names[0] if len(names) == 1 else None
    return None if name is None else Role(name)


def with_roles(users: Any) -> Any:
    """Return the same users with their groups read at once, for `role_of()` each of them."""
    return users.prefetch_related(Prefetch("groups", to_attr="_groups_read"))


def _permissions_of(user: Any) -> frozenset[str]:
    # Kept on the instance, which lives for one request: a change of role works from the next request on.
    if not hasattr(user, "_role_permissions"):
        # From the primary, even if a replica read the user: the replica may still have a role that was taken away.
        keep(user, _roles_of(user._meta.model).tuples(user.pk))
    return user._role_permissions


@cache
def _roles_of(users: Any) -> Select:
    """Return the statement for the user's roles; made late, since the user model is loaded after this module."""
    return Select(
        lambda pk: annotated(users._default_manager.filter(pk=pk)).values_list("_group", "_permissions"), users._meta.pk
    )


def keep(user: Any, rows: list[tuple[str | None, str | None]]) -> None:
    """Give the user the role and permissions of these rows: the group, and all permissions in one text."""
    groups = [(group, permissions) for group, permissions in rows if group is not None]
    # One role per user: a user put into two groups behind the services' back has no permission, not both.
    user._role_name, permissions = groups[0] if len(groups) == 1 else (None, None)
    user._role_permissions = frozenset((permissions or "").split())


def grant(history: Any, grants: Mapping[Role, Iterable[str]]) -> None:
    """Make the groups and give each exactly these permissions, of the apps named in them; for migrations.

    A change of `grants` needs a migration that calls this again. Permissions of models are made here if Django
    has not made them yet (it does so only after all migrations).
    """
    group_model = history.get_model("auth", "Group")
    permission_model = history.get_model("auth", "Permission")
    content_type_model = history.get_model("contenttypes", "ContentType")
    app_labels = {permission.partition(".")[0] for permissions in grants.values() for permission in permissions}
    for role in Role:
        group, _ = group_model.objects.get_or_create(name=role.value)
        group.permissions.remove(*group.permissions.filter(content_type__app_label__in=app_labels))
        for permission in grants.get(role, ()):
            app_label, codename = permission.split(".")
            model_name, name = home_of(app_label, codename)
            content_type, _ = content_type_model.objects.get_or_create(app_label=app_label, model=model_name)
            row, _ = permission_model.objects.get_or_create(
                content_type=content_type, codename=codename, defaults={"name": name}
            )
            group.permissions.add(row)


def check_grants(*, databases: Iterable[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Check that each group has exactly what GRANTS of the apps give its role. If a migration forgot a permission, a
    bank that is carried on shows it; a new bank does not."""
    if not databases:
        return []
    try:
        rows = set(Permission.objects.values_list("group__name", "content_type__app_label", "codename"))
    except DatabaseError:  # not migrated yet
        return []
    there = {(group, f"{app}.{codename}") for group, app, codename in rows if group in set(Role)}
    wanted = {(role.value, name) for grants in _all_grants() for role, names in grants.items() for name in names}
    return [
        checks.Error(
            f"{group} and {name}: GRANTS and the database differ. A migration has to call grant().", id="accounts.E002"
        )
        for group, name in sorted(there ^ wanted)
    ]


def _all_grants() -> Iterator[Mapping[Role, Iterable[str]]]:
    for app in apps.get_app_configs():
        if find_spec(f"{app.name}.roles"):
            yield import_module(f"{app.name}.roles").GRANTS


def home_of(app_label: str, codename: str) -> tuple[str, str]:
    """Return the model that declares a permission, and the permission's name.

    Raises:
        LookupError: no model declares it.
    """
    for model in apps.get_app_config(app_label).get_models():
        options = model._meta
        for action in options.default_permissions:
            if codename == f"{action}_{options.model_name}":
                return str(options.model_name), f"Can {action} {options.verbose_name_raw}"
        for declared, name in options.permissions:
            if declared == codename:
                return str(options.model_name), str(name)
    raise LookupError(f"No model of {app_label} declares the permission {codename}.")

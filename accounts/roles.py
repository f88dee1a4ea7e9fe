"""Roles are Django groups with permissions, and a permission is asked inside the service (R1.7).

`may()` looks only at the role: a superuser flag opens nothing here.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied


class Role(StrEnum):
    """The four groups; the value is the group's name."""

    CUSTOMER = "Customer"
    SUPPORT = "Support"
    AUDITOR = "Auditor"
    ADMIN = "Admin"


STAFF_ROLES = frozenset({Role.SUPPORT, Role.AUDITOR, Role.ADMIN})

GRANTS: dict[Role, tuple[str, ...]] = {
    Role.CUSTOMER: (),
    Role.SUPPORT: ("accounts.view_user", "accounts.view_bankaccount"),
    Role.AUDITOR: ("accounts.view_user", "accounts.view_bankaccount", "audit.view_auditentry"),
    Role.ADMIN: ("accounts.view_user", "accounts.view_bankaccount", "audit.view_auditentry"),
}


def may(user: Any, permission: str) -> bool:
    """Whether the user's role carries `permission` (`app.codename`); inactive and locked users may nothing."""
    if not user.is_authenticated or not user.is_active or user.locked_at is not None:
        return False
    return permission in _permissions_of(user)


def require(user: Any, permission: str) -> None:
    """Refuse unless `may()`.

    Raises:
        PermissionDenied: turned into 403 by pages and API alike.
    """
    if not may(user, permission):
        raise PermissionDenied(f"{user} may not {permission}.")


def require_any_role(user: Any) -> None:
    """Refuse unless the user has a role and may sign in: for what everybody may do to their own.

    Raises:
        PermissionDenied
    """
    if not user.is_authenticated or not user.can_sign_in or user.role is None:
        raise PermissionDenied(f"{user} has no role.")


def _permissions_of(user: Any) -> frozenset[str]:
    # Kept on the instance, which lives for one request: role changes work from the next request on.
    if not hasattr(user, "_role_permissions"):
        rows = list(user.groups.values_list("pk", "permissions__content_type__app_label", "permissions__codename"))
        # One role per user: somebody put into two groups behind the services' back may nothing, not both.
        one_role = len({group for group, _, _ in rows}) == 1
        user._role_permissions = frozenset(f"{label}.{codename}" for _, label, codename in rows if one_role)
    return user._role_permissions


def grant(apps: Any, grants: Mapping[Role, Iterable[str]]) -> None:
    """Make the groups and give each exactly these permissions of the apps named in them; for migrations.

    A change of `grants` needs a migration that calls this again. Permissions of models are made here if Django
    has not made them yet (it does so only after all migrations).
    """
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    content_type_model = apps.get_model("contenttypes", "ContentType")
    app_labels = {permission.partition(".")[0] for permissions in grants.values() for permission in permissions}
    for role in Role:
        group, _ = group_model.objects.get_or_create(name=role.value)
        group.permissions.remove(*group.permissions.filter(content_type__app_label__in=app_labels))
        for permission in grants.get(role, ()):
            app_label, codename = permission.split(".")
            model_name, name = _home_of(app_label, codename)
            content_type, _ = content_type_model.objects.get_or_create(app_label=app_label, model=model_name)
            row, _ = permission_model.objects.get_or_create(
                content_type=content_type, codename=codename, defaults={"name": name}
            )
            group.permissions.add(row)


def _home_of(app_label: str, codename: str) -> tuple[str, str]:
    """The model that declares a permission, and the permission's name."""
    from django.apps import apps

    for model in apps.get_app_config(app_label).get_models():
        options = model._meta
        for action in options.default_permissions:
            if codename == f"{action}_{options.model_name}":
                return str(options.model_name), f"Can {action} {options.verbose_name_raw}"
        for declared, name in options.permissions:
            if declared == codename:
                return str(options.model_name), str(name)
    raise LookupError(f"No model of {app_label} declares the permission {codename}.")

"""Who walks, and what their role may do. Only the grants say that; `tests/test_roles.py` repeats it by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.test import Client

from accounts import roles
from accounts.models import User
from accounts.roles import STAFF_ROLES, Role
from support import roles as support_roles
from tests.acts import give_password
from tests.api_client import ApiClient
from transfers import roles as transfer_roles

# Instead of a permission: open to everybody who is signed in with both factors, to everybody, and to staff.
EVERYBODY, ANYBODY, STAFF = "everybody", "anybody", "staff"


def granted(role: Role | None) -> set[str]:
    grants = (roles.GRANTS, transfer_roles.GRANTS, support_roles.GRANTS)
    return {name for each in grants if role is not None for name in each.get(role, ())}


@dataclass(frozen=True)
class Visitor:
    """A visitor who walks. The things they name are Alice's: for other customers, those are answered like things of
    nobody's."""

    name: str
    role: Role | None = None
    is_signed_in: bool = True  # with both factors
    is_superuser: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_alice(self) -> bool:
        return self.name == "Alice"

    @property
    def is_staff(self) -> bool:
        return self.is_signed_in and self.role in STAFF_ROLES

    def may(self, permission: str) -> bool:
        everybodys = permission in (EVERYBODY, ANYBODY) or (permission == STAFF and self.is_staff)
        return self.is_signed_in and (everybodys or permission in granted(self.role))

    def may_touch(self, permission: str) -> bool:
        """Return whether something of Alice's may be seen and changed with this permission."""
        return self.is_alice or (self.is_staff and (permission == STAFF or permission in granted(self.role)))


CUSTOMER, SUPPORT, AUDITOR, ADMIN = Role
OUTSIDE = (
    Visitor("nobody", is_signed_in=False),
    Visitor("Alice with her password alone", CUSTOMER, is_signed_in=False),
    *(Visitor(f"{role.value} without two-factor", role, is_signed_in=False) for role in Role),
)
INSIDE = (
    Visitor("Alice", CUSTOMER),
    Visitor("Charlie", CUSTOMER),
    Visitor("Support", SUPPORT),
    Visitor("Auditor", AUDITOR),
    Visitor("Admin", ADMIN),
    # The flag gives nobody more than their role does.
    Visitor("superuser without a role", is_superuser=True),
    *(Visitor(f"{role.value} with a superuser's flag", role, is_superuser=True) for role in Role),
)
# Each group in one world.
GROUPS = {
    "outside": OUTSIDE,
    "customers": tuple(visitor for visitor in INSIDE if not visitor.is_staff),
    "staff": tuple(visitor for visitor in INSIDE if visitor.is_staff),
}


@dataclass
class Walker:
    """A visitor on the way: their user, if they have one, and their clients."""

    visitor: Visitor
    user: Any
    browser: Client
    program: ApiClient


class Walkers:
    """`walkers(visitor)`: the visitor, on the way."""

    def __init__(self, cast: Callable[[str], Any], make_user: Any, browser_of: Any, api_of: Any) -> None:
        self.cast, self.make_user, self.browser_of, self.api_of = cast, make_user, browser_of, api_of

    def __call__(self, visitor: Visitor) -> Walker:
        if visitor.name == "nobody":
            return Walker(visitor, None, Client(), self.api_of(None))
        if visitor.name == "Alice with her password alone":
            browser = Client()
            give_password(browser, "alice@example.com")
            return Walker(visitor, self.cast("alice"), browser, self.api_of(None))
        user = self._user(visitor)
        return Walker(visitor, user, self.browser_of(user), self.api_of(user if visitor.is_signed_in else None))

    def _user(self, visitor: Visitor) -> Any:
        if visitor.name in ("Alice", "Charlie"):
            return self.cast(visitor.name.lower())
        user = self.make_user("Walter", visitor.role or CUSTOMER, two_factor=visitor.is_signed_in)
        if visitor.role is None:
            user.groups.clear()
        User.objects.filter(pk=user.pk).update(is_superuser=visitor.is_superuser)
        return User.objects.get(pk=user.pk)

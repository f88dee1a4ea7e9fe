"""People over their life with the bank: registration, changes of their own details and address, and what staff do to
them.

Offered here is what staff do: lock, unlock, another role, other details, a new start with two-factor or PIN. Each needs
a reason, which stays in the audit log and is told to nobody; the person is told about the act. Acts of administrators
queue on one row, so that two of them cannot lock each other out at the same moment.
"""

from accounts.people.common import ChangedMeanwhile, LastAdministrator
from accounts.people.details import Edited, EmailInUse, edit_user, version_of
from accounts.people.locking import LockedAlready, NotLocked, lock_user, locks_of, unlock_user
from accounts.people.on_request import NothingToReset, reset_pin, reset_two_factor, update_identity
from accounts.people.role import HasThisRole, StillHasAccounts, change_role

__all__ = [
    "ChangedMeanwhile",
    "Edited",
    "EmailInUse",
    "HasThisRole",
    "LastAdministrator",
    "LockedAlready",
    "NotLocked",
    "NothingToReset",
    "StillHasAccounts",
    "change_role",
    "edit_user",
    "lock_user",
    "locks_of",
    "reset_pin",
    "reset_two_factor",
    "unlock_user",
    "update_identity",
    "version_of",
]

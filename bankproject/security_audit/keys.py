"""Are the keys the right ones, and young enough? Both by the records that the bank keeps of them (R8.1, R8.5)."""

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from accounts.key_records import KeyAge, check_keys, key_ages
from bankproject.security_audit.results import Result, failed, information, passed


def key_ages_in_bounds() -> Result:
    """Every key is the one it was, and none has sealed for longer than KEY_MAX_AGE_DAYS.

    A key that stands behind another seals nothing more; of AUDIT_KEYS it stays for ever, of the others it is said
    that it may go.
    """
    wrong = [str(message.msg) for message in check_keys([DEFAULT_DB_ALIAS])]
    if wrong:
        return failed("The keys are not those that this bank has used.", wrong)
    ages, oldest = key_ages(), settings.KEY_MAX_AGE_DAYS
    current = [key for key in ages if key.is_current]
    old = [_said(key) for key in current if key.days > oldest]
    if old:
        return failed(f"{len(old)} keys have been in use for more than {oldest} days: see docs/keys.md.", old)
    kept = [_said(key) for key in ages if not key.is_current and key.days > oldest and key.ring != "AUDIT_KEYS"]
    if kept:
        return information(f"{len(kept)} keys of more than {oldest} days still open what they sealed.", kept)
    return passed(f"The {len(current)} keys in use are {max(key.days for key in current)} days old at most.")


def _said(key: KeyAge) -> str:
    return f"{key.ring}: the key {key.kid} is {key.days} days old"

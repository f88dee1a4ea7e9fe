"""What tests of the staff's services share: an origin, fresh codes, an approved request."""

from typing import Any

from accounts.models import AccountFreeze, AccountStatus, BankAccount, FreezeKind, PendingAct, TotpDevice, User
from accounts.permission import second_person
from accounts.permission.authority import ApprovedRequest
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from foundation.models import RateWindow

REASON = "Asked for on the phone, number called back."


def an_origin(ip: str = "192.0.2.7") -> Origin:
    return Origin(ip=ip)


def fresh_code(user: Any) -> str:
    """Return a code that works now, as if half a minute had passed since the last."""
    TotpDevice.objects.filter(user=user).update(last_step=-1)
    RateWindow.objects.filter(key__startswith="code-pause:").delete()
    return f"{TotpDevice.objects.get(user=user).totp().token():06d}"


def stored(user: Any) -> User:
    """Return the user as the database has them, without cached values."""
    return User.objects.get(pk=user.pk)


def set_status(account: Any, status: str, kind: FreezeKind = FreezeKind.ADMINISTRATOR) -> None:
    """Give an account a status behind the services' back, with a freeze of this kind if it is frozen: nobody is
    told."""
    AccountFreeze.objects.filter(account=account).delete()
    if status == AccountStatus.FROZEN:
        AccountFreeze.objects.create(account=account, kind=kind)
    BankAccount.objects.filter(pk=account.pk).update(status=status)


def approved(verb: str, subject: Any) -> ApprovedRequest:
    return ApprovedRequest(verb=verb, subject=subject, reference="the-request")


def entry_of(action: str) -> AuditEntry:
    """Return the one audit entry of this action."""
    return AuditEntry.objects.get(action=action)


def agree(second: Any, act: PendingAct | None = None, reason: str = "I have asked back.") -> PendingAct:
    """Agree as the second administrator, to the waiting act if none is named."""
    waits = act or PendingAct.objects.get(state="waiting")
    return second_person.approve(actor=second, act=waits, reason=reason, code=fresh_code(second), origin=an_origin())


def call_off(actor: Any, act: PendingAct | None = None, reason: str = "Nobody knows of this.") -> PendingAct:
    """Stop the act that waits."""
    waits = act or PendingAct.objects.get(state="waiting")
    return second_person.stop(actor=actor, act=waits, reason=reason, code=fresh_code(actor), origin=an_origin())

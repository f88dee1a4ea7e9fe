"""What a customer can ask the bank to do, as a table: what each kind needs and what it means in plain words (R4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import TextChoices

from accounts.models import AccountStatus


class RequestKind(TextChoices):
    CLOSE_ACCOUNT = "close_account", "Close an account"
    FREEZE_ACCOUNT = "freeze_account", "Freeze an account"
    UNFREEZE_ACCOUNT = "unfreeze_account", "Unfreeze an account"
    UPDATE_IDENTITY = "update_identity", "Change my name or address"
    RESET_TWO_FACTOR = "reset_two_factor", "Reset two-factor"
    RESET_PIN = "reset_pin", "Reset my PIN"
    RAISE_DAILY_LIMIT = "raise_daily_limit", "Raise my daily limit"


@dataclass(frozen=True)
class KindRule:
    """One kind of request. `payload_keys` is all that a request may carry: a secret has no place to stand in."""

    explanation: str
    icon: str
    account_statuses: tuple[AccountStatus, ...] = ()  # about an account in one of these; none: about the customer
    payload_keys: frozenset[str] = frozenset()
    needs_reason: bool = False
    needs_two_clerks: bool = False
    on_the_page: bool = True

    @property
    def is_about_an_account(self) -> bool:
        return bool(self.account_statuses)


KINDS: Mapping[RequestKind, KindRule] = {
    RequestKind.FREEZE_ACCOUNT: KindRule(
        explanation="Nothing moves in or out of it until the bank lifts the freeze. "
        "For an account that somebody else may be using.",
        icon="lock",
        account_statuses=(AccountStatus.ACTIVE,),
    ),
    RequestKind.UNFREEZE_ACCOUNT: KindRule(
        explanation="Money moves in and out of it again, once we have made sure that it is safe.",
        icon="check",
        account_statuses=(AccountStatus.FROZEN,),
        needs_reason=True,
    ),
    RequestKind.CLOSE_ACCOUNT: KindRule(
        explanation="We close it for good. It must be empty by then, with nothing held on it.",
        icon="close",
        account_statuses=(AccountStatus.ACTIVE,),
    ),
    RequestKind.RAISE_DAILY_LIMIT: KindRule(
        explanation="You can pay out more in a day, to others or in cash. We look at your accounts before we agree.",
        icon="send",
        payload_keys=frozenset({"amount"}),
        needs_reason=True,
    ),
    RequestKind.UPDATE_IDENTITY: KindRule(
        explanation="For example after a marriage or a move. We check it against your documents before we change it.",
        icon="user",
        payload_keys=frozenset({"first_name", "last_name", "address"}),
        needs_reason=True,
    ),
    RequestKind.RESET_PIN: KindRule(
        explanation="Your PIN for apps is removed and unlocked. You then choose another one on your profile.",
        icon="clock",
    ),
    # Filed by a link in a mail, by somebody who cannot sign in: a stolen session must not ask for it.
    RequestKind.RESET_TWO_FACTOR: KindRule(
        explanation="Your authenticator app and recovery codes stop working, and you set up new ones when you sign in.",
        icon="lock",
        needs_two_clerks=True,
        on_the_page=False,
    ),
}

ACCOUNT_KINDS = tuple(kind for kind in RequestKind if KINDS[kind].is_about_an_account)
OTHER_KINDS = tuple(kind for kind in RequestKind if not KINDS[kind].is_about_an_account)
PAGE_KINDS = tuple(kind for kind, rule in KINDS.items() if rule.on_the_page)

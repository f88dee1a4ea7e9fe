"""People, how they prove who they are, their sessions, the links that they follow, acts that wait for a second
administrator, and bank accounts with their freezes.

All tables of the app are here, although that makes a long file: Django looks for them in this one module, and one place
shows all that is kept about a person or an account. The services are in the rooms.
"""

import json
import logging
import uuid
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.http import HttpRequest
from django.utils import timezone
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from accounts import account_numbers
from accounts.permission.reasons import MAX_REASON_CHARS
from accounts.roles import STAFF_ROLES, Role, may, role_of
from accounts.sign_in.passwords.hashing import UserWithPassword
from foundation.keys.encryption import DecryptionFailed, DigestField, EncryptedField
from foundation.lookups import FoldedField, WithFoldedFields
from foundation.mail_links import LinkInvalid, MailLink
from foundation.money import MoneyField

logger = logging.getLogger(__name__)


def normalise_email(email: str) -> str:
    """Return the one spelling in which an address is stored and compared; SQL Server ignores case anyway."""
    return email.strip().lower()


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user with this address.

        Raises:
            DoesNotExist: also where only the database's collation takes two addresses for one.
        """
        email = normalise_email(username or "")
        user = self.get(email=email)
        if user.email != email:
            raise self.model.DoesNotExist
        return user


# django-otp comes without types, so the checker cannot find the manager of its devices.
class User(UserWithPassword, PermissionsMixin, WithFoldedFields):  # type: ignore[django-manager-missing]
    """A person who can sign in. A user exists only after the e-mail address was confirmed (R1.1).

    `is_superuser` exists because Django's admin reads it; no service of the bank does (R1.7).
    """

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(unique=True)
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100, blank=True)
    # Each with an index, for staff who search by its beginning.
    folded_first_name = FoldedField(folded_of="first_name", max_length=200, editable=False, db_index=True)
    folded_last_name = FoldedField(folded_of="last_name", max_length=200, editable=False, blank=True, db_index=True)
    phone = EncryptedField(max_chars=32, blank=True)
    address = EncryptedField(max_chars=300, blank=True)
    is_active = models.BooleanField(default=True)
    locked_at = models.DateTimeField(null=True, blank=True)
    must_change_password = models.BooleanField(default=False)
    # For apps that sign in through the API; "" means no PIN (R1.4, R1.8).
    pin_hash = models.CharField(max_length=128, blank=True)
    pin_failures = models.PositiveSmallIntegerField(default=0)
    pin_locked_at = models.DateTimeField(null=True, blank=True)
    # When staff last reset the second factor or changed the address, or a recovery code replaced the app: the person
    # who talked the bank into it, or found the code, may be an impostor, so payments out wait for a day (R1.8).
    hardened_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="user_created"),
            models.Index(fields=["is_active", "created_at"], name="user_active_created"),
            models.Index(fields=["locked_at"], name="user_locked", condition=Q(locked_at__isnull=False)),
        ]
        permissions = [
            ("lock_user", "Can lock people out"),
            ("unlock_user", "Can let locked people in again"),
            ("change_role", "Can give people another role"),
            ("edit_user", "Can edit people's names, addresses and whether they are active"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self) -> str:
        return self.first_name

    @cached_property
    def role(self) -> Role | None:
        """Return the user's one role; None for a user whom no service made, who is in no group or in several."""
        return role_of(self)

    def has_role_permission(self, permission: str) -> bool:
        """Return whether the role carries `permission` (`app.codename`), for code below this app."""
        return may(self, permission)

    @property
    def is_staff(self) -> bool:
        """Derived, so that it cannot drift from the role."""
        return self.role in STAFF_ROLES

    @property
    def can_sign_in(self) -> bool:
        return self.is_active and self.locked_at is None

    @property
    def has_pin(self) -> bool:
        return bool(self.pin_hash)


class Registration(MailLink):
    """A person asked for a user and has not yet confirmed the address; deleted when they do or when it expires.

    Apart from `User`, so that nobody can occupy another person's address by typing it into a form.
    """

    owner = "email"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(db_index=True)
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100, blank=True)
    phone = EncryptedField(max_chars=32, blank=True)
    address = EncryptedField(max_chars=300, blank=True)
    password = models.CharField(max_length=128)


class EmailChange(MailLink):
    """A new address that its owner has not confirmed yet: one at most waits for a user (R1.8)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="email_changes")
    email = models.EmailField()

    def __str__(self) -> str:
        return f"{self.email} until {self.expires_at:%Y-%m-%d %H:%M}"


class PasswordReset(MailLink):
    """A link in a mail to a person who forgot their password; deleted when any link of theirs is used (R1.9).

    A row without a user is written for an address that nobody signs in with, and deleted in the same transaction: the
    same statements run for known and unknown addresses. No mail has its link.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="password_resets")

    @property
    def is_good(self) -> bool:
        return self.user is not None and self.user.can_sign_in

    @property
    def whose(self) -> User:
        """Return the user, whom every good link has.

        Raises:
            LinkInvalid
        """
        if self.user is None:
            raise LinkInvalid
        return self.user


class TotpDevice(ThrottlingMixin, Device):
    """An authenticator app (RFC 6238), like django-otp's own but with its key encrypted (R8.1).

    Verify with `django_otp.verify_token`, which locks the row: eight parallel tries of one right code are then one
    success, not eight.
    """

    STEP_SECONDS = 30
    DIGITS = 6
    throttling_failure_count: int
    LONGEST_THROTTLE = 6  # wrong codes in a row: 2^5 = 32 seconds

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = EncryptedField(max_chars=40, bound_to="user_id")  # hex of 20 random bytes
    last_step = models.BigIntegerField(default=-1)

    class Meta:
        verbose_name = "authenticator app"

    def get_throttle_factor(self) -> int:
        """Return the factor of django-otp's throttle: after n wrong codes in a row, wait 2^(n-1) seconds. Only for a
        device that waits to be confirmed, which belongs to one sign-in. For the device in use this would let anybody
        with the password lock its owner out, from anywhere; `accounts.sign_in.guesses` counts guesses at it."""
        return 1

    def totp(self) -> TOTP:
        return TOTP(bytes.fromhex(self.key), self.STEP_SECONDS, digits=self.DIGITS)

    def verify_token(self, token: str) -> bool:
        """Accept a code of this, the last or the next 30 seconds; each code works once (RFC 6238, 5.2)."""
        allowed = self.confirmed or self.verify_is_allowed()[0]
        verified = False
        if allowed and isinstance(token, str) and token.isascii() and token.isdigit():
            totp = self.totp()
            totp.time = timezone.now().timestamp()
            verified = totp.verify(int(token), tolerance=1, min_t=self.last_step + 1)
            if verified:
                self.last_step = totp.t()
                self.throttle_reset(commit=False)
                self.save(update_fields=["last_step", "throttling_failure_timestamp", "throttling_failure_count"])
        if allowed and not verified and not self.confirmed:
            self.throttle_increment(commit=False)
            self.throttling_failure_count = min(self.throttling_failure_count, self.LONGEST_THROTTLE)
            self.save(update_fields=["throttling_failure_timestamp", "throttling_failure_count"])
        return verified


class RecoveryCode(models.Model):
    """A single-use code for a person without their phone: found by its first part, hashed in the rest."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes", db_index=False)
    selector = models.CharField(max_length=4)
    code_hash = models.CharField(max_length=128)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "selector"], name="recovery_code_selector")]

    def __str__(self) -> str:
        return f"{self.selector}-… of {self.user}"


class EnrolmentLink(MailLink):
    """The bank has reset this user's second factor: until another is set up, that takes a link in a mail beside the
    password (R1.8).

    The row stays when the link expires, since it records the reset; a new link replaces the old one.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrolment_link")
    expires_at = models.DateTimeField()  # no index: no query looks them up by age

    @property
    def is_good(self) -> bool:
        return self.user.can_sign_in


class KnownDevice(models.Model):
    """A browser in which a user has signed in before: a mail tells them about a sign-in in any other.

    The digest is of the browser's cookie and the user, so the row does not reveal the cookie, nor that two people share
    a browser (`accounts.sign_in.devices`).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="known_devices", db_index=False
    )
    token_digest = models.CharField(max_length=64)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "token_digest"], name="known_device_once")]

    def __str__(self) -> str:
        return f"a browser of {self.user}, last seen {self.last_seen_at:%Y-%m-%d}"


class AdministratorTerm(models.Model):
    """When a person was an administrator, and who made them one (R5.8).

    One row for each person whom another administrator made one, or who stopped being one: an administrator without a
    row has been one since the beginning, or was made by an operator.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="administrator_term")
    since = models.DateTimeField()
    # Demoted, locked or deactivated at that time; null: still an administrator.
    until = models.DateTimeField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    def __str__(self) -> str:
        return f"{self.user_id} since {self.since:%Y-%m-%d %H:%M}"


class PendingState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DONE = "done", "Carried out"
    STOPPED = "stopped", "Stopped"
    REFUSED = "refused", "Not possible when it was due"
    EXPIRED = "expired", "Expired"


class PendingAct(models.Model):
    """An act that one administrator asks for; a second one has to agree to it, or a day has to pass (R5.8).

    `accounts.permission.second_person` says what kinds there are, what each does in words and how it is carried out.
    """

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=30)
    subject_id = models.CharField(max_length=64)  # the public id or the key of the row that it would change
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="pending_acts")
    # Sealed JSON with what the kind needs to carry it out; as long as SQL Server's columns allow.
    payload = EncryptedField(max_chars=740, bound_to="asked_by_id", default="{}")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    asked_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=MAX_REASON_CHARS)
    # Null: it waits for a second administrator, however long.
    effective_at = models.DateTimeField(null=True)
    # An amount set aside meanwhile, so that it is there when the act is due.
    held_on = models.ForeignKey(
        "accounts.BankAccount", on_delete=models.PROTECT, null=True, related_name="pending_acts"
    )
    held_amount = MoneyField(default=Decimal(0))
    state = models.CharField(max_length=10, choices=PendingState, default=PendingState.WAITING)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=MAX_REASON_CHARS, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="pending_act_state", condition=Q(state__in=PendingState.values)),
            models.CheckConstraint(
                name="pending_act_held",
                condition=Q(held_on__isnull=True, held_amount=Decimal(0))
                | Q(held_on__isnull=False, held_amount__gt=Decimal(0)),
            ),
            models.UniqueConstraint(
                fields=["kind", "subject_id"], name="pending_act_once", condition=Q(state="waiting")
            ),
        ]
        indexes = [
            models.Index(fields=["state", "asked_at"], name="pending_act_state_asked"),
            models.Index(fields=["asked_at"], name="pending_act_asked"),
        ]
        permissions = [("decide_pendingact", "Can be the second administrator")]
        verbose_name = "act that waits"
        verbose_name_plural = "waiting for a second administrator"

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ').capitalize()}, asked on {self.asked_at:%Y-%m-%d %H:%M}"

    @property
    def opened(self) -> dict[str, Any]:
        """Return the opened payload."""
        opened: dict[str, Any] = json.loads(self.payload)
        return opened

    @property
    def is_waiting(self) -> bool:
        return self.state == PendingState.WAITING

    @property
    def state_label(self) -> str:
        return PendingState(self.state).label


class StopLink(MailLink):
    """A link with which the person concerned stops an act that would take effect by itself; `reader` says whose mailbox
    it went to (R5.8)."""

    owner = "act"

    act = models.ForeignKey(PendingAct, on_delete=models.CASCADE, related_name="stop_links")
    reader = models.CharField(max_length=20)

    @property
    def is_good(self) -> bool:
        return self.act.is_waiting


class SessionKind(models.TextChoices):
    PAGES = "pages", "Pages"
    API = "api", "API"


class UserSession(models.Model):
    """One signed-in session, as its user sees it on the profile (R1.8).

    The session itself, or each token of the API, carries `public_id`, so that nothing here, not even a digest, leads to
    a session key.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    kind = models.CharField(max_length=5, choices=SessionKind, default=SessionKind.PAGES)
    user_agent = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)  # to SESSION_NOTED_SECONDS; for the API to the minute
    ended_at = models.DateTimeField(null=True)
    wrote_at = models.DateTimeField(null=True)  # when its user last changed something (`foundation.replica`)
    code_at = models.DateTimeField(null=True)  # when a code was last given in it (`accounts.sign_in.fresh_code`)

    class Meta:
        indexes = [models.Index(fields=["user", "last_seen_at"], name="user_session_seen")]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class ApiRefreshToken(models.Model):
    """One refresh token of a session that began through the API. It works once; used a second time, it ends the
    session, since one of its two holders is a thief (RFC 9700, 4.14.2).

    The digest is of the token's id, 256 random bits: the database holds no token.
    """

    session = models.ForeignKey("accounts.UserSession", on_delete=models.CASCADE, related_name="refresh_tokens")
    jti_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.session} until {self.expires_at:%Y-%m-%d %H:%M}"


class AccountKind(models.TextChoices):
    CHECKING = "checking", "Checking"
    SAVINGS = "savings", "Savings"
    # The bank's own side of every movement.
    CASH = "cash", "Cash"
    INTEREST = "interest", "Interest paid"
    FEES = "fees", "Fees earned"


CUSTOMER_KINDS = (AccountKind.CHECKING, AccountKind.SAVINGS)
INTERNAL_KINDS = (AccountKind.CASH, AccountKind.INTEREST, AccountKind.FEES)
# Assets and expenses grow by debits; what the bank owes (customers' balances) and earns grows by credits.
DEBIT_NORMAL_KINDS = (AccountKind.CASH, AccountKind.INTEREST)


class AccountStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    FROZEN = "frozen", "Frozen"
    CLOSED = "closed", "Closed"


class BankAccount(models.Model):
    """An account of the ledger: a customer's, or one of the bank's own, which has no owner and no number.

    Only `transfers.ledger` sets `balance`, `held` and `last_sequence`.
    """

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="bank_accounts")
    kind = models.CharField(max_length=10, choices=AccountKind)
    number = EncryptedField(max_chars=12, null=True, bound_to="owner_id")
    # NULL, not "": the unique constraints below leave out rows that have none.
    number_digest = DigestField(digest_of="number", max_length=80, null=True)
    ledger_code = models.CharField(max_length=20, null=True)  # noqa: DJ001
    nickname = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=10, choices=AccountStatus, default=AccountStatus.ACTIVE)
    balance = MoneyField(default=Decimal(0))
    held = MoneyField(default=Decimal(0))
    last_sequence = models.BigIntegerField(default=0)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="bank_account_funds",
                condition=Q(kind__in=INTERNAL_KINDS) | Q(held__gte=Decimal(0), balance__gte=F("held")),
            ),
            models.CheckConstraint(
                name="bank_account_kind",
                condition=Q(
                    kind__in=INTERNAL_KINDS,
                    owner__isnull=True,
                    number__isnull=True,
                    ledger_code__isnull=False,
                )
                | Q(
                    kind__in=CUSTOMER_KINDS,
                    owner__isnull=False,
                    number__isnull=False,
                    ledger_code__isnull=True,
                ),
            ),
            models.CheckConstraint(name="bank_account_status", condition=Q(status__in=AccountStatus.values)),
            models.UniqueConstraint(
                fields=["number_digest"], name="bank_account_number", condition=Q(number_digest__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["ledger_code"],
                name="bank_account_ledger_code",
                condition=Q(ledger_code__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["opened_at"], name="bank_account_opened"),
            models.Index(fields=["status", "opened_at"], name="bank_account_status_opened"),
            models.Index(fields=["kind", "opened_at"], name="bank_account_kind_opened"),
        ]
        permissions = [
            ("freeze_account", "Can freeze customers' accounts"),
            ("unfreeze_account", "Can unfreeze customers' accounts"),
        ]

    def __str__(self) -> str:
        return self.ledger_code or self.masked_number

    @property
    def is_internal(self) -> bool:
        return self.kind in INTERNAL_KINDS

    @property
    def is_active(self) -> bool:
        return self.status == AccountStatus.ACTIVE

    @property
    def available(self) -> Decimal:
        """Return what can be spent now: the balance less what is held for transfers that wait for a decision."""
        return self.balance - self.held

    @property
    def display_name(self) -> str:
        return self.nickname or self.kind_label

    @property
    def kind_label(self) -> str:
        return AccountKind(self.kind).label

    @property
    def status_label(self) -> str:
        return AccountStatus(self.status).label

    @property
    def masked_number(self) -> str:
        """Return the number for lists, mails and logs. One tampered row must not break everyone's pages."""
        try:
            return account_numbers.masked(self.number) if self.number else ""
        except DecryptionFailed:
            logger.critical("The number of account %s does not open: was the database tampered with?", self.pk)
            return "unreadable"

    @property
    def number_grouped(self) -> str:
        return account_numbers.grouped(self.number) if self.number else ""


class FreezeKind(models.TextChoices):
    """Who froze an account, which says who may lift the freeze; the label goes on after "Frozen"."""

    CUSTOMER = "customer", "by its owner"
    SUPPORT = "support", "by support"
    ADMINISTRATOR = "administrator", "by an administrator"


class AccountFreeze(models.Model):
    """One freeze of an account: it may have several, one of each kind, and it is frozen while it has any (R2.5).

    `accounts.freezes` adds and lifts them, and keeps the account's status in step. Lifting one leaves the row. `reason`
    is for staff; a customer's own may be empty.
    """

    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="freezes", db_index=False)
    kind = models.CharField(max_length=13, choices=FreezeKind)
    # Unknown for an account that was frozen before these rows existed, if the audit log does not say.
    frozen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    frozen_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=MAX_REASON_CHARS, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    lifted_at = models.DateTimeField(null=True)
    lift_reason = models.CharField(max_length=MAX_REASON_CHARS, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="account_freeze_kind", condition=Q(kind__in=FreezeKind.values)),
            models.CheckConstraint(
                name="account_freeze_lifted",
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["account", "kind"], name="account_freeze_standing", condition=Q(lifted_at__isnull=True)
            ),
        ]
        indexes = [models.Index(fields=["account", "frozen_at"], name="account_freeze_latest")]

    def __str__(self) -> str:
        return f"Frozen {self.kind_label} on {self.frozen_at:%Y-%m-%d}"

    @property
    def kind_label(self) -> str:
        return FreezeKind(self.kind).label

    @property
    def is_by_its_owner(self) -> bool:
        return self.kind == FreezeKind.CUSTOMER


class SignedInRequest(HttpRequest):
    """A request that has passed `TwoFactorMiddleware`: tells the type checker that it has a user."""

    user: User

"""Tickets, service requests, and the links of people who lost their second factor."""

import hashlib
import json
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.permission.reasons import MAX_REASON_CHARS
from foundation.keys.encryption import EncryptedField
from foundation.mail_links import MailLink
from support.states import RequestState, TicketStatus
from transfers.models import Transaction

MAX_SUBJECT_CHARS = 120
MAX_MESSAGE_CHARS = 4000
MAX_WISH_CHARS = 500  # why the customer asks


class Ticket(models.Model):
    """A customer's question and its state (R4.1).

    An internal note changes `updated_at` and `last_updated_by`, never `shown_at`: the customer must not even see when a
    note was written.
    """

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="tickets", db_index=False
    )
    subject = models.CharField(max_length=MAX_SUBJECT_CHARS)
    status = models.CharField(max_length=12, choices=TicketStatus, default=TicketStatus.OPEN)
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, null=True, related_name="tickets")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    last_updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    shown_at = models.DateTimeField(default=timezone.now)  # the last change that the customer sees

    class Meta:
        constraints = [models.CheckConstraint(name="ticket_status", condition=Q(status__in=TicketStatus.values))]
        indexes = [
            models.Index(fields=["customer", "shown_at"], name="ticket_customer_latest"),
            models.Index(fields=["status", "updated_at"], name="ticket_status_updated"),
            models.Index(fields=["status", "created_at"], name="ticket_status_created"),
            models.Index(fields=["created_at"], name="ticket_created"),
        ]
        permissions = [
            ("open_ticket", "Can write to the bank"),
            ("handle_ticket", "Can answer customers"),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def status_label(self) -> str:
        return TicketStatus(self.status).label


class TicketMessage(models.Model):
    """One thing said in a ticket: by the customer, by staff to the customer, or, internal, among staff."""

    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="messages", db_index=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    text = models.TextField(max_length=MAX_MESSAGE_CHARS)
    is_internal = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["ticket", "id"], name="ticket_message_order")]

    def __str__(self) -> str:
        return f"{self.ticket_id} by {self.author_id} {self.created_at:%Y-%m-%d %H:%M}"


class RequestKind(models.TextChoices):
    """What a customer can ask the bank to do, in the order of the page where they choose; everything else about a kind
    is in its file in `support.requests.kinds`."""

    FREEZE_ACCOUNT = "freeze_account", "Freeze an account"
    UNFREEZE_ACCOUNT = "unfreeze_account", "Unfreeze an account"
    CLOSE_ACCOUNT = "close_account", "Close an account"
    RAISE_DAILY_LIMIT = "raise_daily_limit", "Raise my daily limit"
    UPDATE_IDENTITY = "update_identity", "Change my name or address"
    RESET_PIN = "reset_pin", "Reset my PIN"
    RESET_TWO_FACTOR = "reset_two_factor", "Reset two-factor"


MAX_KIND_CHARS = 20
# A new one takes a migration: the database requires an account for these kinds and refuses one for others.
ACCOUNT_KINDS = (RequestKind.CLOSE_ACCOUNT, RequestKind.FREEZE_ACCOUNT, RequestKind.UNFREEZE_ACCOUNT)


def request_kinds() -> list[tuple[str, str]]:
    """Return the kinds and their names for people. A function, so that a new kind takes no migration."""
    return RequestKind.choices


class ServiceRequest(models.Model):
    """Something a customer asks the bank to do; approval does it (R4.2). It never holds a secret.

    `payload` is sealed JSON with the keys that its kind allows (names, an address, an amount) and those that the bank
    adds.
    """

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="service_requests", db_index=False
    )
    kind = models.CharField(max_length=MAX_KIND_CHARS, choices=request_kinds)
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, null=True, related_name="service_requests")
    # As long as SQL Server's columns allow.
    payload = EncryptedField(max_chars=740, bound_to="customer_id", default="{}")
    reason = models.CharField(max_length=MAX_WISH_CHARS, blank=True)
    state = models.CharField(max_length=10, choices=RequestState, default=RequestState.PENDING)
    first_approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    first_approved_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=MAX_REASON_CHARS, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(name="service_request_state", condition=Q(state__in=RequestState.values)),
            models.CheckConstraint(
                name="service_request_account",
                condition=Q(kind__in=ACCOUNT_KINDS, account__isnull=False)
                | (~Q(kind__in=ACCOUNT_KINDS) & Q(account__isnull=True)),
            ),
            # Two, because engines differ on whether one NULL equals another.
            models.UniqueConstraint(
                fields=["customer", "kind", "account"],
                name="service_request_once_per_account",
                condition=Q(state="pending", account__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["customer", "kind"],
                name="service_request_once",
                condition=Q(state="pending", account__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "created_at"], name="service_request_latest"),
            models.Index(fields=["state", "created_at"], name="service_request_state_created"),
            models.Index(fields=["created_at"], name="service_request_created"),
        ]
        permissions = [
            ("file_request", "Can ask the bank to do something"),
            ("decide_request", "Can decide what customers ask for"),
        ]

    def __str__(self) -> str:
        return f"{self.kind_label} ({self.public_id})"

    @property
    def kind_label(self) -> str:
        return RequestKind(self.kind).label

    @property
    def state_label(self) -> str:
        return RequestState(self.state).label

    @property
    def its_account(self) -> BankAccount:
        """Return the account that a request of `ACCOUNT_KINDS` is about."""
        if self.account is None:
            raise ValueError("A request of this kind is about an account.")
        return self.account

    @property
    def opened(self) -> dict[str, Any]:
        """Return the opened payload."""
        return json.loads(self.payload)


class LostFactorLink(MailLink):
    """A link in a mail to a person who gave their password and says that phone and recovery codes are gone.

    Following it files the request. `stands_for` ties it to the password and the address of that moment.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    stands_for = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.user_id} until {self.expires_at:%Y-%m-%d %H:%M}"

    @property
    def is_good(self) -> bool:
        return self.user.can_sign_in and self.stands_for == self.state_of(self.user)

    @staticmethod
    def state_of(user: User) -> str:
        """Return a digest of this user's current password and address."""
        return hashlib.sha256(f"{user.get_session_auth_hash()}|{user.email}".encode()).hexdigest()

"""The ledger, and what customers asked it to do.

All tables of the app are here, although that makes a long file, for the reason that `accounts.models` gives.
"""

import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import BankAccount
from foundation.append_only import AppendOnlyModel
from foundation.money import MoneyField, to_minor
from transfers.interest.counting import MICRO, Accrual
from transfers.orders import fraud

MAX_DESCRIPTION_CHARS = 140
# Folding makes a text longer where one letter becomes two; a text that is too long then is cut, and found by its
# beginning.
MAX_SEARCH_CHARS = 300


class TransactionKind(models.TextChoices):
    DEPOSIT = "deposit", "Deposit"
    WITHDRAWAL = "withdrawal", "Withdrawal"
    TRANSFER = "transfer", "Transfer"
    INTEREST = "interest", "Interest"
    FEE = "fee", "Fee"
    REVERSAL = "reversal", "Reversal"


class Direction(models.TextChoices):
    DEBIT = "debit", "Debit"
    CREDIT = "credit", "Credit"


class Transaction(AppendOnlyModel):
    """One movement of money, never changed: another one reverses a mistake (R3.1)."""

    readable_on_replica = True

    id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=12, choices=TransactionKind)
    amount = MoneyField()
    description = models.CharField(max_length=MAX_DESCRIPTION_CHARS, blank=True)
    reference = models.CharField(max_length=14, unique=True)
    # Reference and description, folded (`foundation.text`), for the search in a history on every engine. It may be NULL
    # so that SQLite adds the column in place: otherwise it would copy the table and lose its triggers.
    search_text = models.CharField(max_length=MAX_SEARCH_CHARS, null=True)  # noqa: DJ001 - "" is never written
    initiated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reverses = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="reversals", db_index=False)
    created_at = models.DateTimeField(db_index=True)

    class Meta(AppendOnlyModel.Meta):
        constraints = [
            models.CheckConstraint(name="transaction_amount_positive", condition=Q(amount__gt=Decimal(0))),
            models.UniqueConstraint(
                fields=["reverses"], name="transaction_reversed_once", condition=Q(reverses__isnull=False)
            ),
        ]
        # For the staff's lists. Each costs every payment a little: see docs/adr/0011-indexes-for-lists.md.
        indexes = [
            models.Index(fields=["kind", "created_at"], name="transaction_kind_created"),
            models.Index(fields=["initiated_by", "created_at"], name="transaction_by_created"),
            models.Index(fields=["amount", "created_at"], name="transaction_amount_created"),
        ]
        permissions = [("export_transactions", "Can download the list of transactions")]

    def __str__(self) -> str:
        return self.reference

    @property
    def reversed_by(self) -> str | None:
        """Return the reference of its reversal, where the query added it (`orders.records.with_reversed_by`)."""
        return getattr(self, "_reversed_by", None)


class Entry(AppendOnlyModel):
    """One side of a transaction on one account. Sequences of an account run 1, 2, 3, … without a gap.

    Unique (account, sequence): if two transactions ever worked from the same balance, the second would break the
    constraint instead of the bank. `posted_at` repeats the transaction's time, for history by date.
    """

    readable_on_replica = True

    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="entries")
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="entries", db_index=False)
    direction = models.CharField(max_length=6, choices=Direction)
    amount = MoneyField()
    balance_after = MoneyField()
    sequence = models.BigIntegerField()
    posted_at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(name="entry_amount_positive", condition=Q(amount__gt=Decimal(0))),
            models.UniqueConstraint(fields=["account", "sequence"], name="entry_account_sequence"),
        ]
        # With the columns that sums over a time need, so that statements, totals and pictures read only the index.
        indexes = [models.Index(fields=["account", "posted_at", "direction", "amount"], name="entry_account_sums")]

    def __str__(self) -> str:
        return f"{self.direction} {self.amount} #{self.sequence}"


class OrderKind(models.TextChoices):
    DEPOSIT = "deposit", "Deposit"
    WITHDRAWAL = "withdrawal", "Withdrawal"
    OWN_TRANSFER = "own", "Transfer between own accounts"
    # The word that histories use; a second word for the same thing would make people look for a difference.
    PAYMENT = "payment", "Transfer"


class OrderState(models.TextChoices):
    POSTED = "posted", "Completed"
    HELD = "held", "Being checked"
    RELEASED = "released", "Completed after a check"
    REJECTED = "rejected", "Rejected"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"


# Orders that ended without moving money: they were held, and are given back.
NOT_CARRIED_OUT = (OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)


# First and last name of a person, with a space between.
MAX_NAME_CHARS = 201


class NameCheck(models.TextChoices):
    """The result of the check of a payee's name (R3.6). Values are stored forever."""

    NOT_NEEDED = "not_needed", "Not needed"  # cash, an account of one's own, or a payee from before the check existed
    MATCH = "match", "Match"
    NEAR = "near", "Near match"
    NO_MATCH = "no_match", "No match"
    NOT_CHECKED = "not_checked", "Not checked"
    SKIPPED = "skipped", "Skipped by the payer"

    @property
    def is_confirmed(self) -> bool:
        """Return whether the payer may read the payee's own name."""
        return self not in UNCONFIRMED


UNCONFIRMED = (NameCheck.NO_MATCH, NameCheck.NOT_CHECKED, NameCheck.SKIPPED)


class TransferOrder(models.Model):
    """What a person asked for, once, however often the request arrives (R3.5).

    Unique (initiator, key digest) makes a retry safe. HELD and its decision belong to the fraud rules (R3.10): such an
    order has no transaction yet, and its amount is in the source's `held`. `decided_by` is who ended it: staff, the
    customer who cancelled it, or the bank itself, if it expired (R3.14).

    The names are those of the day (R2.6), "" for the bank's own side. The payer reads `payee_name` only where the check
    confirmed it, otherwise `payee_name_typed`: what they typed, "" where they gave no name (`transfers.names`).
    """

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=OrderKind)
    initiator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    source = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="orders_out", db_index=False)
    target = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="orders_in")
    amount = MoneyField()
    description = models.CharField(max_length=MAX_DESCRIPTION_CHARS, blank=True)
    key_digest = models.CharField(max_length=64)
    inputs_digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=OrderState)
    transaction = models.ForeignKey(
        Transaction, on_delete=models.PROTECT, null=True, related_name="orders", db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now)
    hold_reason = models.CharField(max_length=40, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="decided_orders"
    )
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=300, blank=True)
    payer_name = models.CharField(max_length=MAX_NAME_CHARS, blank=True, default="")
    payee_name = models.CharField(max_length=MAX_NAME_CHARS, blank=True, default="")
    payee_name_typed = models.CharField(max_length=MAX_NAME_CHARS, blank=True, default="")
    name_check = models.CharField(max_length=12, choices=NameCheck, default=NameCheck.NOT_NEEDED)
    # At the time of the order; the payee may have been removed since, and be new again.
    is_first_payment = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="order_amount_positive", condition=Q(amount__gt=Decimal(0))),
            models.UniqueConstraint(fields=["initiator", "key_digest"], name="order_key_once"),
            models.UniqueConstraint(
                fields=["transaction"], name="order_transaction_once", condition=Q(transaction__isnull=False)
            ),
            models.CheckConstraint(
                name="order_transaction_by_state",
                condition=Q(state__in=[OrderState.POSTED, OrderState.RELEASED], transaction__isnull=False)
                | Q(state__in=[OrderState.HELD, *NOT_CARRIED_OUT], transaction__isnull=True),
            ),
            models.CheckConstraint(
                name="order_name_typed_or_confirmed",
                condition=Q(payee_name_typed="") | Q(name_check__in=UNCONFIRMED),
            ),
        ]
        indexes = [
            models.Index(fields=["initiator", "created_at"], name="order_initiator_created"),
            # The payments of a customer's hour, for the fraud rules: whoever ordered them, they leave an account.
            models.Index(fields=["source", "created_at"], name="order_source_created"),
            models.Index(fields=["created_at"], name="order_created"),
            models.Index(fields=["state", "created_at"], name="order_state_created"),
        ]
        permissions = [
            ("open_own_account", "Can open and close accounts of their own"),
            ("deposit_own", "Can pay cash into accounts of their own"),
            ("withdraw_own", "Can take cash out of accounts of their own"),
            ("transfer_own_money", "Can move money out of accounts of their own"),
            ("open_account_for_customer", "Can open accounts for customers"),
            ("deposit_at_counter", "Can take cash from customers at the counter"),
            ("withdraw_at_counter", "Can give cash to customers at the counter"),
            ("reverse_transaction", "Can reverse transactions"),
            ("decide_held_transfer", "Can release or reject held transfers"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"

    @property
    def reversed_at(self) -> datetime | None:
        """Return when its movement was reversed, where the query added it (`orders.records.with_reversal`)."""
        return getattr(self, "_reversed_at", None)

    @property
    def reversed_by(self) -> str | None:
        """Return the reference of that reversal."""
        return getattr(self, "_reversed_by", None)

    @property
    def customer_account(self) -> BankAccount:
        """Return the customer's side; for a transfer, the payer."""
        return self.target if self.kind == OrderKind.DEPOSIT else self.source

    @property
    def is_by_its_customer(self) -> bool:
        """Return whether the customer ordered it, and not another person for them."""
        return self.customer_account.owner_id == self.initiator_id

    @property
    def expires_at(self) -> datetime:
        """Return when it expires if it is still held, by the current setting (R3.14)."""
        return self.created_at + timedelta(days=settings.HOLD_EXPIRES_DAYS)


class DecisionKey(models.Model):
    """A key that was chosen for one act other than an order, and the act: an account opened, or a decision of staff
    about money (R3.5, R7.3). Orders have theirs themselves (`TransferOrder.key_digest`)."""

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    key_digest = models.CharField(max_length=64)
    inputs_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key_digest"], name="decision_key_once")]

    def __str__(self) -> str:
        return f"decision by {self.actor_id}"


class AlertState(models.TextChoices):
    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"


def rule_choices() -> list[tuple[str, str]]:
    """Return the rules and their names for people. A function, so that a new rule takes no migration."""
    return [(rule.value, label) for rule, label in fraud.LABELS.items()]


class FraudAlert(models.Model):
    """A fraud rule's finding about a payment, for a person to look at (R3.10). Written with the order, closed once."""

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(TransferOrder, on_delete=models.PROTECT, related_name="alerts", db_index=False)
    rule = models.CharField(max_length=fraud.MAX_RULE_CHARS, choices=rule_choices)
    created_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=6, choices=AlertState, default=AlertState.OPEN)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="closed_alerts"
    )
    closed_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "rule"], name="fraud_alert_once"),
            models.CheckConstraint(
                name="fraud_alert_closed_by_somebody",
                condition=Q(state=AlertState.OPEN, closed_by__isnull=True, closed_at__isnull=True)
                | Q(state=AlertState.CLOSED, closed_by__isnull=False, closed_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["state", "created_at"], name="fraud_alert_state_created"),
            models.Index(fields=["created_at"], name="fraud_alert_created"),
        ]
        permissions = [("close_fraud_alert", "Can close fraud alerts")]

    def __str__(self) -> str:
        return f"{self.rule} {self.public_id}"


class CustomerLimit(models.Model):
    """What one customer has paid out: today, since the last code, in this minute and this hour; and what they have paid
    in by themselves today. Every service that moves their money locks it first, and only `transfers.orders` writes
    it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="limit")
    # None: the bank's DAILY_TRANSFER_LIMIT holds.
    daily_limit = MoneyField(null=True)
    day = models.DateField()
    used = MoneyField(default=Decimal(0))
    # Cash that the customer paid in by themselves on `day`, over all accounts, for CASH_IN_DAILY_LIMIT (R3.2).
    cash_in = MoneyField(default=Decimal(0))
    # Paid out since the last one-time code, for STEP_UP_AMOUNT (R3.6).
    out_since_code = MoneyField(default=Decimal(0))
    # JSON: the places taken in the customer's minute, by kind (R3.9), and the times of payments that count (R3.10).
    recent = models.TextField(default="")
    # One more with each change, which is written only if nobody was faster: also where an engine ignores a lock hint.
    version = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.user_id} {self.day}"

    def used_on(self, day: date) -> Decimal:
        """Return what was paid out on this day, which is not before the day of the row."""
        return self.used if self.day == day else Decimal(0)

    def cash_in_on(self, day: date) -> Decimal:
        """Return what the customer paid in by themselves on this day, which is not before the day of the row."""
        return self.cash_in if self.day == day else Decimal(0)


class StepUpReason(models.TextChoices):
    NEW_PAYEE = "new_payee", "First payment to this account"
    AMOUNT = "amount", "Much paid out since the last code"


class StepUpChallenge(models.Model):
    """The bank asks for a one-time code for one payment: these accounts, this amount, this idempotency key (R3.6).

    A code of an authenticator app does not say what it confirms. This row ties it to the payment: issued for it,
    verified by the code, used up in the payment's own transaction, each once and all within two minutes. `public_id` is
    its nonce.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    source = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    target = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    key_digest = models.CharField(max_length=64)
    why = models.CharField(max_length=10, choices=StepUpReason)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    verified_at = models.DateTimeField(null=True)
    consumed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="step_up_verified_before_consumed",
                condition=Q(consumed_at__isnull=True) | Q(verified_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.why} {self.public_id}"


MAX_LABEL_CHARS = 60


class Payee(models.Model):
    """Another customer's account that this customer has paid: a row means "known", no row means "new" (R3.6).

    Written in the transaction of the payment, so a payee is known exactly when money has reached them. Removing one
    deletes the row, and the next payment is a first one again; what was paid stays in the ledger. The number is the
    account's own, sealed there (R8.1); `label` is what the customer calls them. `name_check` is the result of the check
    of the name that the customer typed last; `typed_name` is that name, if it was not confirmed.
    """

    readable_on_replica = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="payees", db_index=False
    )
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="payee_rows")
    label = models.CharField(max_length=MAX_LABEL_CHARS, blank=True)
    typed_name = models.CharField(max_length=MAX_NAME_CHARS, blank=True, default="")
    name_check = models.CharField(max_length=12, choices=NameCheck, default=NameCheck.NOT_NEEDED)
    first_paid_at = models.DateTimeField()
    last_paid_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "account"], name="payee_once"),
            models.CheckConstraint(
                name="payee_name_typed_or_confirmed", condition=Q(typed_name="") | Q(name_check__in=UNCONFIRMED)
            ),
        ]
        indexes = [models.Index(fields=["customer", "last_paid_at"], name="payee_customer_latest")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.account}"


class CountedRates(models.Model):
    """Rates by which days of interest were counted, as `SAVINGS_RATE` writes them: so a rate that is announced for past
    days is noticed, and the difference can be counted (R3.15). A row never changes."""

    text = models.TextField()
    digest = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return self.text


class SavingsInterest(models.Model):
    """What a savings account has earned and has not been paid (R9.2). Written under the lock of its account.

    `accrued` and `accrued_micro`, millionths of a minor unit, are one number, for the months that are not rounded yet.
    It may be negative by half a minor unit, if the last month was rounded up. `due` is for rounded months that could
    not be posted, since the account is frozen; negative is what was paid too much and could not be taken back.
    `counted_by` says at which rates the days up to `accrued_through` were counted; `reversals_to` is the sequence of
    the last reversal on the account that the counted days include.
    """

    account = models.OneToOneField(
        BankAccount, on_delete=models.PROTECT, primary_key=True, related_name="savings_interest"
    )
    accrued_through = models.DateField()
    accrued = MoneyField(default=Decimal(0))
    accrued_micro = models.IntegerField(default=0)
    due = MoneyField(default=Decimal(0))
    # None for days that were counted before this was kept: by the rates that hold now, as far as is known.
    counted_by = models.ForeignKey(CountedRates, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    reversals_to = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="savings_interest_micro", condition=Q(accrued_micro__gte=0, accrued_micro__lt=MICRO)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.accrued_through}"

    @property
    def accrual(self) -> Accrual:
        micro = to_minor(self.accrued) * MICRO + self.accrued_micro
        return Accrual(self.accrued_through, micro, to_minor(self.due))

"""The rows of the ground floor: the currency, the keys that were used, the limits, the outbox."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from foundation.keys.encryption import EncryptedField


class KeyRecord(models.Model):
    """A key that the bank has used: it shows when another key comes under the same name (`foundation.keys.records`).

    `check_value` is an HMAC under the key, so nothing leads from it to 32 random bytes.
    """

    ring = models.CharField(max_length=20)  # the setting that holds it
    kid = models.CharField(max_length=8)
    check_value = models.CharField(max_length=64)
    first_used_at = models.DateTimeField(null=True)  # since when it was first in its ring; null: it waits behind
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ring", "kid"], name="key_record_kid")]

    def __str__(self) -> str:
        return f"{self.ring}:{self.kid}"


CURRENCY_ROW = 1  # the key of the one row


class CurrencyRecord(models.Model):
    """The currency of every amount in this database: one row, written by the first `migrate` and never changed
    (`foundation.currency_record`)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=CURRENCY_ROW)
    code = models.CharField(max_length=3)
    exponent = models.PositiveSmallIntegerField()  # decimals: an amount of 1 is 10 ** exponent in a column

    class Meta:
        constraints = [
            models.CheckConstraint(name="currency_record_one", condition=Q(id=CURRENCY_ROW)),
        ]

    def __str__(self) -> str:
        return f"{self.code} with {self.exponent} decimals"


class RateWindow(models.Model):
    """The recent times at which something limited was done: one row for each key (`foundation.limiter.limiter`)."""

    key = models.CharField(max_length=100, unique=True)
    stamps = models.JSONField(default=list)
    last_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class OutboxMessage(models.Model):
    """Something to tell people, written in the transaction that made it true (R3.8).

    `foundation.outbox` expands it once into mails. The payload is sealed: it may carry a link's token.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    event = models.CharField(max_length=40)
    payload = EncryptedField(max_chars=600)
    created_at = models.DateTimeField(default=timezone.now)
    expanded_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["next_try_at"], name="outbox_waiting", condition=Q(expanded_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.event} {self.created_at:%Y-%m-%d %H:%M:%S}"

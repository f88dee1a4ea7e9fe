"""Rows about the keys of the bank: a part of `accounts.models`, apart for its length alone."""

from django.db import models


class KeyRecord(models.Model):
    """A key that the bank has been given: by this it knows a wrong one of the same name (`accounts.key_records`).

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

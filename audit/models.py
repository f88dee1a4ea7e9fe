from django.db import models
from django.utils import timezone

from foundation.append_only import AppendOnlyModel


class AuditEntry(AppendOnlyModel):
    """One thing that happened: who did what to what, from where, when (R6.1).

    It outlives the people and things it names: it keeps them as plain values, never as foreign keys (R6.2).
    """

    readable_on_replica = True

    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=40)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(max_length=254)
    subject_type = models.CharField(max_length=40, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    # The person concerned, if not the actor: the customer whose account a clerk froze.
    concerns_id = models.BigIntegerField(null=True)
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=32, blank=True)
    details = models.JSONField(default=dict)
    # SHA-256 of the ledger transaction and its entries, for entries that report a money movement (R6.3).
    evidence_digest = models.CharField(max_length=64, blank=True)

    class Meta(AppendOnlyModel.Meta):
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["action", "at"], name="audit_action_at"),
            models.Index(fields=["actor_id", "at"], name="audit_actor_at"),
            models.Index(fields=["subject_type", "subject_id"], name="audit_subject"),
            models.Index(fields=["concerns_id", "at"], name="audit_concerns_at"),
        ]
        permissions = [("export_auditentry", "Can download the audit log")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} by {self.actor_label}"


class AuditBlock(AppendOnlyModel):
    """Entries that were sealed together, chained to the block before (R6.3); made by `audit.sealing` only.

    Numbers run 1, 2, 3, … without a gap; two sealers at once cannot make the same number. `audit.digests` says what
    `hash` covers.
    """

    readable_on_replica = True

    number = models.BigIntegerField(unique=True)
    previous_hash = models.CharField(max_length=64)
    entry_count = models.IntegerField()
    # SHA-256 over the digests of its entries, in order of their positions.
    entries_digest = models.CharField(max_length=64)
    # Of this block and all before it: the next sealing need not look below it (audit.sealing.settled_id).
    highest_entry_id = models.BigIntegerField()
    sealed_at = models.DateTimeField()
    # Which key of AUDIT_KEYS, and a fingerprint of it: it tells a wrong key from a wrong log.
    key_id = models.CharField(max_length=25)
    hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"block {self.number}"


class AuditBlockEntry(AppendOnlyModel):
    """Says that an entry is in a block, and what it looked like: ids commit out of order, so a range would not do.

    `entry_id` is a plain value, so that the list still names an entry that was deleted.
    """

    block = models.ForeignKey(AuditBlock, on_delete=models.PROTECT, related_name="entries", db_index=False)
    position = models.IntegerField()
    entry_id = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64)

    class Meta(AppendOnlyModel.Meta):
        verbose_name_plural = "audit block entries"
        constraints = [models.UniqueConstraint(fields=["block", "position"], name="audit_block_position")]

    def __str__(self) -> str:
        return f"entry {self.entry_id} at {self.position}"

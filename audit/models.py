from django.db import models
from django.utils import timezone

from audit.append_only import AppendOnlyModel


class AuditEntry(AppendOnlyModel):
    """One thing that happened: who did what to what, from where, when (R6.1).

    It outlives the people and things it names: they are kept as plain values, never as foreign keys (R6.2).
    """

    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=40)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(max_length=254)
    subject_type = models.CharField(max_length=40, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    # Whom it concerns, when that is not who did it: the customer whose account a clerk froze.
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

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} by {self.actor_label}"

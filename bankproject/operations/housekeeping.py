"""Deletion of old rows that hold people's names, amounts or links."""

from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from post_office.models import STATUS, Email

from accounts.models import ApiRefreshToken, KnownDevice, Registration
from accounts.sign_in import devices
from foundation.models import OutboxMessage


def clean_up() -> dict[str, int]:
    """Delete expired sessions and registrations, browsers in which nobody has signed in for half a year, and mails
    delivered more than MAIL_KEPT_DAYS ago.

    Return how many rows of each were deleted. Safe at any time, also twice at once.
    """
    now = timezone.now()
    old = now - timedelta(days=settings.MAIL_KEPT_DAYS)
    rows = {
        "expired sessions": Session.objects.filter(expire_date__lt=now),
        # A used token is kept until it would expire: its row shows a second use. Logs mask what follows the word token.
        "expired API refreshes": ApiRefreshToken.objects.filter(expires_at__lt=now),
        "expired registrations": Registration.objects.filter(expires_at__lt=now),
        "browsers long unseen": KnownDevice.objects.filter(last_seen_at__lt=now - devices.KEPT),
        "expanded outbox messages": OutboxMessage.objects.filter(expanded_at__lt=old),
        "delivered mails": Email.objects.filter(status=STATUS.sent, last_updated__lt=old),
    }
    return {what: query.delete()[0] for what, query in rows.items()}

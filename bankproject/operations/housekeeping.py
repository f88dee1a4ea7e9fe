"""Deletion of old rows that hold people's names, amounts or links."""

from datetime import timedelta

from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from post_office.models import STATUS, Email

from accounts.models import ApiRefreshToken, EmailChange, KnownDevice, PasswordReset, Registration
from accounts.sign_in import devices
from foundation.limiter.rows import KEPT
from foundation.models import OutboxMessage, RateWindow
from support.models import LostFactorLink


def clean_up() -> dict[str, int]:
    """Delete expired sessions and links, browsers in which nobody has signed in for half a year, counts of guesses and
    limits that are over, and mails delivered more than MAIL_KEPT_DAYS ago.

    Return how many rows of each were deleted. Safe at any time, also twice at once.
    """
    now = timezone.now()
    old = now - timedelta(days=settings.MAIL_KEPT_DAYS)
    rows = {
        "expired sessions": Session.objects.filter(expire_date__lt=now),
        # A used token is kept until it would expire: its row shows a second use. Logs mask what follows the word token.
        "expired API refreshes": ApiRefreshToken.objects.filter(expires_at__lt=now),
        "expired registrations": Registration.objects.filter(expires_at__lt=now),
        "expired resets": PasswordReset.objects.filter(expires_at__lt=now),
        "expired changes of address": EmailChange.objects.filter(expires_at__lt=now),
        "requests for lost phones": LostFactorLink.objects.filter(expires_at__lt=now),
        "wrong guesses": AccessAttempt.objects.filter(attempt_time__lt=now - settings.AXES_COOLOFF_TIME),
        "sign-ins as axes saw them": AccessLog.objects.filter(attempt_time__lt=old),
        "limits long unused": RateWindow.objects.filter(last_at__lt=now - KEPT),
        "browsers long unseen": KnownDevice.objects.filter(last_seen_at__lt=now - devices.KEPT),
        "expanded outbox messages": OutboxMessage.objects.filter(expanded_at__lt=old),
        "delivered mails": Email.objects.filter(status=STATUS.sent, last_updated__lt=old),
    }
    return {what: query.delete()[0] for what, query in rows.items()}

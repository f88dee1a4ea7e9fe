"""Data that is no longer needed is deleted (R6.2 aside: never from the audit log)."""

from datetime import timedelta
from io import StringIO
from typing import Any

import time_machine
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from post_office.models import STATUS, Email

from accounts.models import Registration
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.acts import mails, register
from tests.asvs import proves


@proves("V14.2.7")
def test_what_has_served_its_purpose_goes_and_the_rest_stays(alice: Any, browser_of: Any, settings: Any) -> None:
    register(Client())
    browser_of(alice)
    mails()
    Email.objects.update(status=STATUS.sent)
    Email.objects.create(from_email="a@example.com", to=["b@example.com"], status=STATUS.queued)
    entries = AuditEntry.objects.count()
    with time_machine.travel(timezone.now() + timedelta(days=settings.MAIL_KEPT_DAYS - 1)):
        call_command("clean_up", stdout=StringIO())
    assert (Registration.objects.count(), Session.objects.count()) == (0, 0)
    assert (OutboxMessage.objects.count(), Email.objects.count()) == (1, 2)
    with time_machine.travel(timezone.now() + timedelta(days=settings.MAIL_KEPT_DAYS + 1)):
        out = StringIO()
        call_command("clean_up", stdout=out)
    assert OutboxMessage.objects.count() == 0
    assert [mail.status for mail in Email.objects.all()] == [STATUS.queued]
    assert AuditEntry.objects.count() == entries
    assert "delivered mails: 1" in out.getvalue()

"""Rows about how people sign in: a part of `accounts.models`, apart for its length alone."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.mail_links import MailLink


class KnownDevice(models.Model):
    """A browser in which a user has signed in before: a sign-in in any other is told to them by mail.

    The digest is of the browser's cookie and the user, so that nothing here leads to the cookie, and nothing tells
    that two people share a browser (`accounts.device_cookie`).
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


class EnrolmentLink(MailLink):
    """The bank has reset this user's second factor: until another is set up, that takes a link in a mail beside the
    password (R1.8).

    The row stays when the link expires, since it says so; another link takes the place of the last.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrolment_link")
    expires_at = models.DateTimeField()  # no index: these are not looked up by their age

    @property
    def is_good(self) -> bool:
        return self.user.can_sign_in

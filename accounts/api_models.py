"""Rows of the API: a part of `accounts.models`, apart for its length alone."""

from django.db import models


class ApiRefreshToken(models.Model):
    """One refresh token of a session that began through the API. It works once; used a second time, it ends the
    session, since one of the two who have it is a thief (RFC 9700, 4.14.2).

    The digest is of the token's id, 256 random bits: a read of the database yields no token.
    """

    session = models.ForeignKey("accounts.UserSession", on_delete=models.CASCADE, related_name="refresh_tokens")
    jti_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.session} until {self.expires_at:%Y-%m-%d %H:%M}"

"""Links in mails: a secret token of which only the SHA-256 digest is kept, so that the database holds no working
link."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone

from foundation.locking import lock, sweep
from foundation.refusals import Refusal

# No row has this key. Where an address is unknown or taken, the statements of a link run with it, and keep no link: the
# same work, whoever asks (ASVS V6.3.8).
NO_ROW = 0


class LinkInvalid(Refusal):
    """The link is unknown, used or expired, or something newer has made it worthless."""

    code = "link_invalid"
    text = "This link was used, has expired, or never was one."
    status = 404


def new_token() -> str:
    """Return 256 random bits, as a URL takes them."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class MailLink(models.Model):
    """A link in a mail to a person: issued, found as often as it is followed, used up once.

    Each kind of link is a table of its own that adds what the link is for, who owns it (`owner`), and what makes it
    worthless before its time (`is_good`). The services that issue links limit how often they are mailed.
    """

    # The name of the column that says who owns it: a user, or an address that has no user yet.
    owner: ClassVar[str] = "user"

    token_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{getattr(self, self.owner)} until {self.expires_at:%Y-%m-%d %H:%M}"

    @property
    def is_good(self) -> bool:
        """Whether nothing newer has made this link worthless."""
        return True

    @classmethod
    def forget_expired(cls) -> None:
        """Delete the links of this kind that have expired, inside the caller's transaction."""
        sweep(cls._default_manager.filter(expires_at__lt=timezone.now()))

    def issue(self, *, lasts: timedelta) -> str:
        """Save this link, good for this long from now, and return its token for the mail; the token is kept nowhere.

        A link that is issued again works with its new token only.
        """
        token = new_token()
        self.token_digest, self.expires_at = digest(token), timezone.now() + lasts
        self.save()
        return token

    @classmethod
    def find(cls, token: str, **whose: Any) -> Self:
        """Return the link of a token, with its user if it has one. Looking changes nothing: mail scanners follow links.

        Args:
            whose: conditions on its columns, where only its owner may follow it.

        Raises:
            LinkInvalid: which of the reasons it is, is not told.
        """
        rows = cls._default_manager.select_related()
        link = rows.filter(token_digest=digest(token), expires_at__gt=timezone.now(), **whose).first()
        if link is None or not link.is_good:
            raise LinkInvalid
        return link

    @classmethod
    def use_up(cls, token: str, **whose: Any) -> Self:
        """Find a link as `find()` does, and delete it and all other links of its owner, inside the caller's
        transaction.

        If several are followed at the same moment, the first wins.

        Raises:
            LinkInvalid
        """
        cls.find(token, **whose)._wait_for_others()
        link = cls.find(token, **whose)  # still there, now that nobody else can use it
        link._of_this_owner().delete()
        return link

    def _wait_for_others(self) -> None:
        """Lock what all links of this owner have in common, until the caller's transaction ends.

        For a user that is the user's row, which every service that changes a user locks first. For an address it is the
        links themselves, in one order, since each use deletes the others.
        """
        owner = getattr(self, self.owner)
        is_user = isinstance(owner, models.Model)
        rows = type(owner)._default_manager.filter(pk=owner.pk) if is_user else self._of_this_owner()
        # With the key, since the link may be for another address.
        list(lock(rows, with_key=True).order_by("pk").values_list("pk"))

    def _of_this_owner(self) -> QuerySet[Self]:
        return type(self)._default_manager.filter(**{self.owner: getattr(self, self.owner)})

"""How many files one person takes in an hour, on pages and through the API together: each costs work, and an entry that
nobody can delete (ASVS V2.4.1)."""

from typing import Any

from django.conf import settings

from foundation.limiter import limiter


def count_download(actor: Any) -> None:
    """Take one of the actor's DOWNLOADS_PER_HOUR, before a file is made; one that cannot be made counts too.

    Raises:
        TooOften
    """
    limiter.take(f"download:{actor.pk}", limiter.Limit(settings.DOWNLOADS_PER_HOUR, 3600))

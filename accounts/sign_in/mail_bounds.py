"""How many mails strangers can cause to one address: with another's, anybody can fill in a form."""

from foundation.limiter.limiter import Limit, Place
from foundation.mail_links import digest

_AN_HOUR = Limit(times=5, window_seconds=3600)
# For all requests together: registering, a new password, another address.
_A_DAY = Limit(times=20, window_seconds=86_400)


def places_of_mail(kind: str, email: str) -> list[Place]:
    """Return the places that a mail of this kind takes: of the hour for its kind, and of the day."""
    return [Place(f"{kind}-mail:{digest(email)}", _AN_HOUR), place_of_day(email)]


def place_of_day(email: str) -> Place:
    return Place(f"mails:{digest(email)}", _A_DAY)

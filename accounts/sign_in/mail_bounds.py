"""How many mails strangers can cause, to one address and in all: with another's address, anybody can fill in a form."""

from foundation.hourly import HourlyBound, Room
from foundation.limiter.limiter import Limit, Place, TooOften
from foundation.mail_links import digest

_AN_HOUR = Limit(times=5, window_seconds=3600)
# For all requests together: registering, a new password, another address.
_A_DAY = Limit(times=20, window_seconds=86_400)


class AnsweredInAnHour:
    """How many requests of strangers one process takes in an hour, from all networks."""

    def __init__(self, times: int) -> None:
        self._bound = HourlyBound(each=times, in_all=times)

    def take(self) -> None:
        """Take one place.

        Raises:
            TooOften: there is none until the next hour.
        """
        if self._bound.take() is Room.NONE:
            raise TooOften(self._bound.seconds_left())


def places_of_mail(kind: str, email: str) -> list[Place]:
    """Return the places that a mail of this kind takes: of the hour for its kind, and of the day."""
    return [Place(f"{kind}-mail:{digest(email)}", _AN_HOUR), place_of_day(email)]


def place_of_day(email: str) -> Place:
    return Place(f"mails:{digest(email)}", _A_DAY)

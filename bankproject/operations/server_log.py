"""What gunicorn's workers write about requests that never reach the bank, or fail outside it: as the bank's own lines
are, masked, and bounded where strangers cause them."""

import logging

from django.conf import settings

from foundation.hourly import HourlyBound, Room

_UNREADABLE = "Invalid request from "
_room = HourlyBound(each=100, in_all=1000)


class UnreadableRequests(logging.Filter):
    """Lets through what gunicorn says of requests that it cannot read, up to the bound for an address and hour."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if not text.startswith(_UNREADABLE):
            return True
        room = _room.take(text.partition(": ")[0])
        if room is Room.LAST:
            record.msg, record.args = f"{text}; more like it are left out in this hour", None
        return room is not Room.NONE


def take_over(server: logging.Logger) -> None:
    """Write the lines of this logger of gunicorn's as the settings say. Called in each worker and not in the master,
    which must not import the bank: a reload would go on with the old one."""
    for handler in server.handlers:
        handler.setFormatter(settings.LOGGING["formatters"]["bank"]["()"]())
        handler.addFilter(UnreadableRequests())

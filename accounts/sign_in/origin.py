"""Where a request comes from, read once, at the edge. Services get this value, never a request."""

import re
from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpRequest

from foundation.request_context import client_ip, network_of


@dataclass(frozen=True)
class Origin:
    """What a client's guesses are counted under, and what a browser or program is known by. Empty outside a request."""

    ip: str | None = None
    user_agent: str = ""  # how the client describes itself, in ASCII; never proof of anything
    device_token: str = field(default="", repr=False)  # the browser's name (`accounts.sign_in.devices`)
    # Only for the records of django-axes.
    path: str = ""
    accept: str = ""

    @property
    def network(self) -> str:
        return network_of(self.ip)


def origin_of(request: HttpRequest) -> Origin:
    sent = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
    return Origin(
        ip=client_ip(request),
        user_agent=request.headers.get("User-Agent", "").encode("ascii", "replace").decode(),
        device_token=sent if re.fullmatch(r"[\w-]{43}", sent, re.ASCII) else "",
        path=request.path_info,
        accept=request.headers.get("Accept", ""),
    )

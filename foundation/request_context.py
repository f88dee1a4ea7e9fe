"""Who asks, from where, in which request: every audit entry and log line is stamped with it."""

import ipaddress
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"
# How proxies write an address together with the client's port, and one of version 6 in any case.
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
# The proxies whose X-Forwarded-For was called unreadable by this process.
_said_of: set[str] = set()
_MOST_SAID_OF = 16
# IPv4 addresses as a server that listens on both versions sees them, ::ffff:0:0/96.
_MAPPED_BITS = 96


class RequestContextMiddleware:
    """Stamps the request: its id goes into audit entries, log lines and the answer's X-Request-ID."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _FORWARDED_PROTO in request.META:
            if comes_from_trusted_proxy(request):
                # Schemes have no case; SECURE_PROXY_SSL_HEADER has.
                request.META[_FORWARDED_PROTO] = request.META[_FORWARDED_PROTO].lower()
            else:
                # A client that is not our proxy must not make plain HTTP look like HTTPS.
                del request.META[_FORWARDED_PROTO]
        context = RequestContext(ip=client_ip(request), request_id=new_request_id())
        with request_context(context):
            response = self.get_response(request)
        response["X-Request-ID"] = context.request_id
        return response


@dataclass(frozen=True)
class RequestContext:
    """Where a call comes from. Outside a request (a command, a job) there is no IP."""

    ip: str | None = None
    request_id: str = ""


_NO_REQUEST = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request_context")


def current() -> RequestContext:
    return _current.get(_NO_REQUEST)


@contextmanager
def request_context(context: RequestContext) -> Iterator[None]:
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def new_request_id() -> str:
    """Return a fresh id, made by us: an id sent by a client could be forged to point at another's request."""
    return secrets.token_hex(16)


def client_ip(request: HttpRequest) -> str | None:
    """Return the address that connected to us or, behind one of our own proxies, to the proxy.

    X-Forwarded-For is believed only from `TRUSTED_PROXIES`, and only its right-most entry: the client writes all
    entries further left, and could choose a new address for every guess (R1.4). Where that entry cannot be
    read, all clients of the proxy count as the proxy, and the log says so.
    """
    peer = _address(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if forwarded and _is_trusted(peer):
        entry = forwarded.rpartition(",")[2].strip()
        client = _address(entry)
        if client is not None:
            return str(client)
        _say_unreadable(str(peer), entry)
    return None if peer is None else str(peer)


def comes_from_trusted_proxy(request: HttpRequest) -> bool:
    """Return whether the peer that connected to us is one of our own proxies (TRUSTED_PROXIES)."""
    return _is_trusted(_address(request.META.get("REMOTE_ADDR", "")))


def network_of(ip: str | None) -> str:
    """Return the network that limits count under: one IPv6 line has a whole /64 of addresses to choose from."""
    if ip is None or ":" not in ip:
        return ip or ""
    return str(ipaddress.ip_network(f"{ip}/64", strict=False))


def trusted_networks(texts: Iterable[str]) -> list[Network]:
    """Read TRUSTED_PROXIES: addresses and networks, of which IPv4 ones may be written as IPv6.

    Raises:
        ValueError: one that is neither, or a network with more than its own bits: 127.0.0.1/8.
    """
    return [_network(text.strip()) for text in texts]


def _network(text: str) -> Network:
    network = ipaddress.ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - _MAPPED_BITS}")


@lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    """Return the address in a text, with a port and brackets or without; None if there is none.

    An IPv4 address written as IPv6 is turned back, and the name of this machine's interface (`%eth0`) left out: one
    address is one client, and one proxy, however a server or a proxy writes it.
    """
    written = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((written[1] or written[2] if written else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(peer: Address | None) -> bool:
    return peer is not None and any(peer in network for network in settings.TRUSTED_PROXIES)


def _say_unreadable(peer: str, entry: str) -> None:
    """Warn of a proxy whose entry cannot be read, once for each proxy: a stranger may have written it."""
    if peer not in _said_of and len(_said_of) < _MOST_SAID_OF:
        _said_of.add(peer)
        logger.warning(
            "X-Forwarded-For of %s does not end in an address: %.60r. All its clients count as one.", peer, entry
        )

"""Who asks, from where, in which request: every audit entry and log line is stamped with it."""

import ipaddress
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class RequestContextMiddleware:
    """Stamps the request: its id goes into audit entries, log lines and the answer's X-Request-ID."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_X_FORWARDED_PROTO" in request.META and not comes_from_trusted_proxy(request):
            # A client that is not our proxy must not make plain HTTP look like HTTPS (SECURE_PROXY_SSL_HEADER).
            del request.META["HTTP_X_FORWARDED_PROTO"]
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
    entries further left, and could choose a new address for every guess (R1.4).
    """
    peer = request.META.get("REMOTE_ADDR", "")
    if comes_from_trusted_proxy(request):
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        return _valid_ip(forwarded) or _valid_ip(peer)
    return _valid_ip(peer)


def network_of(ip: str | None) -> str:
    """Return the network that limits count under: one IPv6 line has a whole /64 of addresses to choose from."""
    if ip is None or ":" not in ip:
        return ip or ""
    return str(ipaddress.ip_network(f"{ip}/64", strict=False))


@lru_cache(maxsize=1024)
def _valid_ip(text: str) -> str | None:
    """Return the address in its one spelling; an IPv4 address written as IPv6 is turned back."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def comes_from_trusted_proxy(request: HttpRequest) -> bool:
    """Return whether the peer that connected to us is one of our own proxies (TRUSTED_PROXIES)."""
    peer = request.META.get("REMOTE_ADDR", "")
    if not settings.TRUSTED_PROXIES or _valid_ip(peer) is None:
        return False
    address = ipaddress.ip_address(peer)
    return any(address in network for network in settings.TRUSTED_PROXIES)

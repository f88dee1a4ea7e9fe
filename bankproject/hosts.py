"""Names and addresses of hosts in settings: how they are written, and which of them only this machine has.

A demo bank shows its codes and mails to anyone, so it starts under no public name.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# Not ending in a number: that would be an address with a mistake, which some programs read in their own way.
_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?")
_SITE = re.compile(r"(?P<scheme>https?)://(?P<host>\[[^\]]*\]|[^\[\]:/?#@]+)(?::(?P<port>[0-9]{1,5}))?/?")
# Their names lead nowhere else (RFC 6761, RFC 2606).
_OWN_SUFFIXES = (".localhost", ".test")


def host(text: str) -> str:
    """Return a host's name or address, in lower case and without the brackets of an IPv6 address.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("[") and text.endswith("]"):
        return str(IPv6Address(text[1:-1]))
    if _address(text) is None and not _NAME.fullmatch(text):
        raise ValueError
    return text.lower()


def allowed_host(text: str) -> str:
    """Return one of ALLOWED_HOSTS as Django takes it: a name, `.suffix`, `*`, or an address, an IPv6 one in brackets.

    Raises:
        ValueError: something else, such as an address with its scheme or its port, which no request would match.
    """
    if text != "*":
        bare = host(text.removeprefix("."))
        if ":" in bare and not text.startswith("["):
            raise ValueError  # Django looks for it in brackets
    return text


def site(text: str) -> str:
    """Return `https://host` or `https://host:port`, without the slash at its end.

    Raises:
        ValueError: no scheme, or a path, a login or the like.
    """
    found = _SITE.fullmatch(text)
    if found is None or not 0 < int(found["port"] or 443) < 2**16:
        raise ValueError
    host(found["host"])
    return text.rstrip("/")


def origin(text: str) -> str:
    """Return one of CSRF_TRUSTED_ORIGINS: like a site, and `https://*.host` too.

    Raises:
        ValueError
    """
    site(text.replace("://*.", "://", 1))
    return text.rstrip("/")


def refuse_public_demo(site_url: str, allowed_hosts: Iterable[str], demo_hosts: Iterable[str]) -> None:
    """Refuse a demo that others could reach by one of these names (R9.8).

    Raises:
        ImproperlyConfigured: names the setting and the host.
    """
    names = [("SITE_URL", urlsplit(site_url).hostname or ""), *(("ALLOWED_HOSTS", each) for each in allowed_hosts)]
    accepted = {_bare(each) for each in demo_hosts}
    for setting, name in names:
        if not is_own(name) and _bare(name) not in accepted:
            raise ImproperlyConfigured(
                f"DEMO shows codes and mails to anyone, and {setting} has {name}, which is not only of this machine:"
                " turn DEMO off, or name that host in DEMO_HOSTS."
            )


def is_own(name: str) -> bool:
    """Return whether a host, as in ALLOWED_HOSTS, leads to this machine alone: loopback, `.localhost` and `.test`."""
    bare = _bare(name)
    address = _address(bare)
    return address.is_loopback if address else f".{bare.removeprefix('.')}".endswith(_OWN_SUFFIXES)


def is_loopback(name: str) -> bool:
    """Return whether a connection to this host stays on this machine."""
    address = _address(name.strip("[]"))
    return address.is_loopback if address else name.lower() == "localhost"


def _bare(name: str) -> str:
    """Return the name as it is compared: without an IPv6 address's brackets and the dot that ends a whole name."""
    return name.strip("[]").lower().removesuffix(".")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None

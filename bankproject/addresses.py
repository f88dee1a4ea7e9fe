"""Addresses of servers in settings, `scheme://login@host:port/name?option=value`, read strictly.

A "#", "/" or "?" that is not escaped in a password moves the rest of it into another part of the address: a host, a
port, a name. So every part has to look like what it is. No error quotes an address, since it may hold that password.
"""

import re
import warnings
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import environ

_POSTGRESQL = ("postgres", "postgresql", "pgsql", "psql")
_MAIL_SERVERS = ("smtp", "smtps", "smtp+tls", "smtp+ssl")
_MAIL_SINKS = ("consolemail", "dummymail", "filemail", "memorymail")
# One host with its port or without, the host in brackets if it is an IPv6 address.
_PLACE = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_QUERY = re.compile(r"[A-Za-z_]+=[^@&=]*(?:&[A-Za-z_]+=[^@&=]*)*")
_DATABASE_NAME = re.compile(r"/[^/@]+")


def database(text: str) -> dict[str, Any]:
    """Return the entry of DATABASES that django-environ makes of an address.

    Several hosts of PostgreSQL are not looked at here (`bankproject/databases.py`).

    Raises:
        ValueError: no address of a database that the bank runs on.
    """
    scheme = text.partition("://")[0]
    if scheme == "sqlite":
        _require(text.startswith("sqlite:///") or text == "sqlite://:memory:", "#" not in text)
    else:
        parts = _split(text, (*_POSTGRESQL, "mssql"))
        places = parts.netloc.rpartition("@")[2]
        is_socket = scheme in _POSTGRESQL and not places
        is_several = scheme in _POSTGRESQL and "," in places
        _require(is_socket or is_several or _PLACE.fullmatch(places) is not None)
        in_a_folder = is_socket and parts.path.startswith("//") and "@" not in parts.path
        _require(in_a_folder or _DATABASE_NAME.fullmatch(parts.path) is not None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # they quote the address
        try:
            found: dict[str, Any] = environ.Env.db_url_config(text)
        except Warning as warning:
            raise ValueError from warning
    return found


def cache(text: str) -> str:
    """Return the address of a Redis or Valkey, or "".

    Raises:
        ValueError: another kind of store, or parts that are not what they should be.
    """
    if text:
        from redis.connection import parse_url  # takes a while, and most banks have no cache

        parts = _split(text, ("redis", "rediss", "unix"))
        if parts.scheme != "unix":
            _require(_PLACE.fullmatch(parts.netloc.rpartition("@")[2]) is not None)
            _require(re.fullmatch(r"/?[0-9]*", parts.path) is not None)
        parse_url(text)
    return text


def mail(text: str) -> dict[str, Any]:
    """Return Django's settings for a mail server, or for mails that are kept here.

    Raises:
        ValueError: neither.
    """
    parts = _split(text, _MAIL_SERVERS + _MAIL_SINKS)
    if parts.scheme in _MAIL_SERVERS:
        _require(_PLACE.fullmatch(parts.netloc.rpartition("@")[2]) is not None, parts.path in {"", "/"})
    found: dict[str, Any] = environ.Env.email_url_config(text)
    return found


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    """Return the parts of an address.

    Raises:
        ValueError: another scheme, a character that must be escaped, a wrong port, wrong options.
    """
    _require(re.fullmatch(r"[!-~]+", text) is not None, "#" not in text, text.partition("://")[0] in schemes)
    parts = urlsplit(text)
    _require(not parts.query or _QUERY.fullmatch(parts.query) is not None)
    if "," not in parts.netloc:
        _require(parts.port != 0)  # asking for a port raises, too
    parse_qsl(parts.query, strict_parsing=bool(parts.query))
    return parts


def _require(*conditions: bool) -> None:
    if not all(conditions):
        raise ValueError

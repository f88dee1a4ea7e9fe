"""Connections to other machines in clear, or encrypted to whoever answers: refused at the start, unless the operator
names the host, for whose network they then answer (ASVS V12.3.1, V12.3.2).
"""

from collections.abc import Container, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured

from bankproject.databases import trusts_blindly
from bankproject.hosts import is_loopback

# The hosts that a setting leads to, whether their certificates are verified, and what to write where they are not.
Use = tuple[list[str], bool, str]


def refuse_clear(uses: Mapping[str, Use], accepted: Container[str]) -> None:
    """Refuse an unverified connection to another machine, except to the hosts in CLEAR_HOSTS.

    Raises:
        ImproperlyConfigured: names the setting, the host and what to write.
    """
    for setting, (hosts, is_verified, remedy) in uses.items():
        for each in hosts:
            if not (is_verified or _stays_here(each) or each.lower() in accepted):
                raise ImproperlyConfigured(
                    f"{setting} leads to {each} without TLS that verifies its certificate: {remedy},"
                    " or name that host in CLEAR_HOSTS if its network is your own."
                )


def use_of_database(entry: Mapping[str, Any]) -> Use:
    """Return what an entry of DATABASES connects to."""
    options = entry.get("OPTIONS", {})
    if entry["ENGINE"] == "mssql":
        return [entry["HOST"]], not trusts_blindly(options["extra_params"]), "leave out TrustServerCertificate=yes"
    if entry["ENGINE"] == "django.db.backends.postgresql":
        places = [entry["HOST"] or options.get("host", ""), options.get("hostaddr", "")]
        hosts = [each for place in places for each in str(place).split(",")]
        return hosts, options.get("sslmode") == "verify-full", "add ?sslmode=verify-full"
    return [], True, ""


def use_of_cache(url: str) -> Use:
    """Return what CACHE_URL connects to."""
    parts = urlsplit(url)
    options = {name: values[0].lower() for name, values in parse_qs(parts.query).items()}
    is_verified = (
        parts.scheme == "rediss"
        and options.get("ssl_cert_reqs", "required") == "required"
        and options.get("ssl_check_hostname", "true") in {"1", "t", "true", "y", "yes"}
    )
    hosts = [parts.hostname or ""] if parts.scheme in {"redis", "rediss"} else []
    return hosts, is_verified, "write rediss://, without options that turn its checks off"


def use_of_mail(mail: Mapping[str, Any]) -> Use:
    """Return what Django's settings of EMAIL_URL connect to; its backend verifies the certificate and the host's name
    both with STARTTLS and with TLS from the first byte."""
    is_encrypted = bool(mail.get("EMAIL_USE_TLS") or mail.get("EMAIL_USE_SSL"))
    hosts = [mail["EMAIL_HOST"] or ""] if mail["EMAIL_BACKEND"].endswith(".smtp.EmailBackend") else []
    return hosts, is_encrypted, "write smtp+tls:// or smtp+ssl://"


def _stays_here(host: str) -> bool:
    """Return whether it is a socket of this machine, or loopback."""
    return not host or host.startswith(("/", "@")) or is_loopback(host)

"""Checks of how the bank starts: production settings, bad secrets, and settings that weaken the bank."""

import base64
import os
import secrets as randomness
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

from django.conf import settings

from accounts import demo_people
from accounts.models import User
from bankproject.databases import trusts_blindly
from bankproject.security_audit.results import Ran, Result, failed, information, passed, run_python

_ONLY_THIS_MACHINE = {"127.0.0.1", "localhost", ".localhost", "[::1]"}
_NAMED_HOST = "bank.example"


def deploy(folder: Path) -> Result:
    """Check that Django's deployment check finds nothing in the bank as it would be in production.

    It runs in a process of its own: with the current settings, but without debug and demo mode, with the name of a
    host, and with keys made for this one run.
    """
    ran = run_python(
        ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        folder=folder,
        environment=production_environment(),
    )
    if ran.status == 0:
        return passed("Django's deployment check has nothing to say of production settings.")
    said = [line for line in (ran.out + ran.err).splitlines() if line.strip()]
    return failed("Django's deployment check complains of production settings.", said[-20:])


def refusals(folder: Path) -> Result:
    """Check that the bank starts with good secrets, and refuses a secret that is missing, short, a default, or used
    twice."""
    good = production_environment()
    if (ran := _start(folder, good)).status != 0:
        return failed("The bank does not start with production settings.", [ran.last_words])
    tried, started = 0, []
    for what, name, value in _bad_secrets(good):
        tried += 1
        ran = _start(folder, _with(good, name, value))
        # It ended for this reason: another fault would hide the effect of this secret.
        if ran.status == 0 or name not in ran.last_words or "ImproperlyConfigured" not in ran.last_words:
            started.append(what)
    if started:
        return failed(f"The bank starts on {len(started)} of {tried} bad secrets.", started)
    return passed(f"The bank refuses to start on {tried} bad secrets: missing, short, default or used twice.")


def weakening() -> Result:
    """Check that nothing that weakens the bank is switched on where others can reach it; on a developer's machine the
    result only mentions it."""
    said = list(_weak())
    if not said:
        return passed("Nothing that weakens the bank is switched on.")
    if _is_public():
        return failed("The bank is set up for others and weakened.", said)
    return information("Only this machine is served, so these may be; they must not in production.", said)


def key_rings() -> list[str]:
    """Return the names of the settings that are key rings."""
    return [name for name in dir(settings) if name.endswith("_KEYS") and isinstance(getattr(settings, name), dict)]


def production_environment() -> dict[str, str]:
    """Return the current environment made ready for production: no file of settings, no debug, no demo, a host's name,
    fresh keys."""
    environment = dict(os.environ) | {"ENV_FILE": os.devnull, "DEBUG": "0", "DEMO": "0"}
    environment["DJANGO_SETTINGS_MODULE"] = "bankproject.settings"
    if not _is_public():
        environment |= {"ALLOWED_HOSTS": _NAMED_HOST, "SITE_URL": f"https://{_NAMED_HOST}"}
    environment["SECRET_KEY"] = randomness.token_urlsafe(48)
    return environment | {ring: _new_ring() for ring in key_rings()}


def _new_ring() -> str:
    return "k1:" + base64.urlsafe_b64encode(randomness.token_bytes(32)).decode()


def _bad_secrets(good: Mapping[str, str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield what is bad about it, the variable, its value; None stands for a variable that is not set."""
    yield "no SECRET_KEY", "SECRET_KEY", None
    yield "Django's own SECRET_KEY", "SECRET_KEY", "django-insecure-" + randomness.token_urlsafe(48)
    yield "a short SECRET_KEY", "SECRET_KEY", randomness.token_urlsafe(12)
    yield "a SECRET_KEY of one letter", "SECRET_KEY", "x" * 64
    for ring in key_rings():
        yield f"no {ring}", ring, None
        yield f"a short key in {ring}", ring, "k1:" + base64.urlsafe_b64encode(randomness.token_bytes(16)).decode()
    for one, other in combinations(key_rings(), 2):
        yield f"{one} and {other} alike", one, good[other]


def _with(environment: Mapping[str, str], name: str, value: str | None) -> dict[str, str]:
    rest = {other: text for other, text in environment.items() if other != name}
    return rest if value is None else rest | {name: value}


def _start(folder: Path, environment: Mapping[str, str]) -> Ran:
    program = "from django.conf import settings; settings.SECRET_KEY"
    return run_python(["-c", program], folder=folder, environment=environment)


def _is_public() -> bool:
    """Return whether this set-up answers to a name that others may call it by."""
    return bool(set(settings.ALLOWED_HOSTS) - _ONLY_THIS_MACHINE) or settings.SITE_URL.startswith("https://")


def _weak() -> Iterator[str]:
    if settings.DEBUG:
        yield "DEBUG is on: faults show the bank's inside, and plain HTTP is served."
    if settings.DEMO:
        yield "DEMO is on: one-time codes and mails are shown to anyone."
    elif settings.SELF_SERVICE_CASH:
        yield "SELF_SERVICE_CASH is on: customers pay in cash that nobody has counted."
    if _is_public() and not settings.SITE_URL.startswith("https://"):
        yield "SITE_URL is plain HTTP: so are the links in mails."
    if "*" in settings.ALLOWED_HOSTS:
        yield "ALLOWED_HOSTS takes any name."
    if any(network.prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        yield "TRUSTED_PROXIES trusts everybody: a client could choose its address."
    if trusts_blindly(settings.DATABASES["default"].get("OPTIONS", {}).get("extra_params", "")):
        yield "The database's certificate is not looked at (TrustServerCertificate=yes)."
    people = [person.email for person in demo_people.EVERYBODY]
    if User.objects.filter(email__in=people, is_active=True).exists():
        yield "The database has the demo's people, whose passwords are public."

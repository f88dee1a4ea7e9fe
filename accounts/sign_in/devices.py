"""Which browsers and programs a person has signed in with; telling them about a sign-in with another.

A browser keeps a long-lived random name in a cookie. It opens nothing: it only decides whether a mail is sent, and that
wrong codes from elsewhere do not count against this browser (`guesses.from_anywhere`). A stolen cookie only prevents
the mail, and only for a thief who has both factors. Each browser has one name, and the bank keeps a digest of it for
each user, so that no table reveals who shares a browser.
"""

from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from ua_parser import parse

from accounts.models import KnownDevice, User
from accounts.sign_in.origin import Origin
from audit.actions import Action
from audit.services import record
from foundation import mail_links, outbox
from foundation.transactions import own_transaction

AnyResponse = TypeVar("AnyResponse", bound=HttpResponse)

KEPT = timedelta(days=180)
_PLAIN = {"Mac OS X": "macOS", "Mobile Safari": "Safari", "Chrome Mobile": "Chrome", "Firefox Mobile": "Firefox"}


def meet(*, actor: User, is_first_sign_in: bool, origin: Origin) -> str:
    """Note that the actor signs in with this browser, and tell them if it is a new one; return its name, for the
    cookie. The very first sign-in is not told: there is no browser yet to compare with."""
    token = origin.device_token or mail_links.new_token()  # of 256 random bits
    label = device_label(origin.user_agent)
    _meet(actor, digest_for(actor, token), label[:80], origin.network, is_first_sign_in)
    return token


def meet_program(*, actor: User, is_first_sign_in: bool, origin: Origin) -> None:
    """Note a program that signs in through the API and keeps no cookie, as `meet()` does: it is known by its own
    description and its network together, so that the same words from elsewhere are told."""
    digest = digest_for(actor, _program_name(origin))
    label = f"API: {device_label(origin.user_agent)}"
    _meet(actor, digest, label[:80], origin.network, is_first_sign_in)


@own_transaction
def _meet(actor: User, digest: str, label: str, network: str, is_first_sign_in: bool) -> None:
    now = timezone.now()
    devices = KnownDevice.objects.filter(user=actor)
    devices.filter(last_seen_at__lt=now - KEPT).delete()
    if devices.filter(token_digest=digest).update(last_seen_at=now):
        return
    _, is_new = KnownDevice.objects.get_or_create(user=actor, token_digest=digest, defaults={"last_seen_at": now})
    if is_new and not is_first_sign_in:
        record(Action.DEVICE_NEW, actor=actor, subject=actor, details={"device": label})
        outbox.tell("device_new", user_id=actor.pk, at=now.isoformat(), device=label, network=network)


def is_known(*, user: User, origin: Origin) -> bool:
    """Return whether this user has signed in with this browser or program before."""
    names = (origin.device_token, _program_name(origin))
    digests = [digest_for(user, name) for name in names if name]
    since = timezone.now() - KEPT
    return KnownDevice.objects.filter(user=user, token_digest__in=digests, last_seen_at__gte=since).exists()


def _program_name(origin: Origin) -> str:
    return f"program|{origin.network}|{origin.user_agent}"


def forget_all(user: User) -> None:
    """Forget all browsers, inside the caller's transaction: this user is told about the next sign-in from any of
    them."""
    KnownDevice.objects.filter(user=user).delete()


def digest_for(user: User, token: str) -> str:
    """Return what is kept of a browser's name: another digest for each user."""
    return mail_links.digest(f"{user.public_id}|{token}")


def kept_by(response: AnyResponse, token: str) -> AnyResponse:
    """Return the answer that makes the browser keep its name for another half a year."""
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        token,
        max_age=KEPT,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def device_label(user_agent: str) -> str:
    """Return “Firefox on Linux”, or as much of it as is known."""
    found = parse(user_agent[:200])
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    browser, system = _PLAIN.get(browser, browser), _PLAIN.get(system, system)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "Unknown device")

"""Which browsers and programs somebody has signed in with; telling people of a sign-in with another."""

from django.http import HttpRequest
from django.utils import timezone

from accounts import device_cookie, outbox
from accounts.concurrency import own_transaction
from accounts.devices import agent_of, device_label
from accounts.models import KnownDevice, User
from audit.actions import Action
from audit.context import client_ip, network_of
from audit.services import record


def meet(request: HttpRequest, *, actor: User, is_first_sign_in: bool) -> str:
    """Note that the actor signs in with this browser, and tell them if it is a new one; return its name, for the
    cookie. Of the very first sign-in nobody is told: there is nothing yet that it could differ from.
    """
    token = device_cookie.token_of(request)
    label = device_label(agent_of(request))
    _meet(actor, device_cookie.digest_for(actor, token), label[:80], client_ip(request), is_first_sign_in)
    return token


def meet_program(request: HttpRequest, *, actor: User, is_first_sign_in: bool) -> None:
    """As `meet()`, of a program that signs in through the API and keeps no cookie: known by what it calls itself and
    by its network together, so that the same words from elsewhere are told."""
    digest = device_cookie.digest_for(actor, _program_name(request))
    label = f"API: {device_label(agent_of(request))}"
    _meet(actor, digest, label[:80], client_ip(request), is_first_sign_in)


def is_known(request: HttpRequest, *, user: User) -> bool:
    """Whether this user has signed in with this browser or program before."""
    names = (device_cookie.token_of(request), _program_name(request))
    digests = [device_cookie.digest_for(user, name) for name in names]
    since = timezone.now() - device_cookie.KEPT
    return KnownDevice.objects.filter(user=user, token_digest__in=digests, last_seen_at__gte=since).exists()


def _program_name(request: HttpRequest) -> str:
    return f"program|{network_of(client_ip(request))}|{agent_of(request)}"


def forget_all(user: User) -> None:
    """Inside the caller's transaction: whoever signs in next, from wherever, is told to this user."""
    KnownDevice.objects.filter(user=user).delete()


@own_transaction
def _meet(actor: User, digest: str, label: str, ip: str | None, is_first_sign_in: bool) -> None:
    now = timezone.now()
    devices = KnownDevice.objects.filter(user=actor)
    devices.filter(last_seen_at__lt=now - device_cookie.KEPT).delete()
    if devices.filter(token_digest=digest).update(last_seen_at=now):
        return
    _, is_new = KnownDevice.objects.get_or_create(user=actor, token_digest=digest, defaults={"last_seen_at": now})
    if is_new and not is_first_sign_in:
        record(Action.DEVICE_NEW, actor=actor, subject=actor, details={"device": label})
        outbox.tell("device_new", user_id=actor.pk, at=now.isoformat(), device=label, network=network_of(ip))

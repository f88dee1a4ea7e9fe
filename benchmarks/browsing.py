"""Pages of a scratch bank, requested in this process by a user who is signed in with both factors."""

from typing import Any


def name_files_as_served(folder: str) -> None:
    """Let pages name style sheets and pictures as in production, by the digests of their content."""
    from django.conf import settings
    from django.core.management import call_command

    settings.STATIC_ROOT = f"{folder}/static"
    call_command("collectstatic", interactive=False, verbosity=0)


def browser_of(user: Any) -> Any:
    """Return a client in which the user, who has an authenticator, is signed in."""
    from django.test import Client
    from django.utils import timezone
    from django_otp import DEVICE_ID_SESSION_KEY

    from accounts.models import TotpDevice, UserSession

    client = Client(SERVER_NAME="localhost", headers={"X-Forwarded-Proto": "https"})
    client.force_login(user, backend="accounts.sign_in.axes.CountedPasswordBackend")
    session, now = client.session, int(timezone.now().timestamp())
    row = UserSession.objects.create(user=user)
    device = TotpDevice.objects.get(user=user)
    session.update({"auth_at": now, "user_session": str(row.public_id)})
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return client


def look_at(client: Any, address: str) -> None:
    """Ask for a page.

    Raises:
        SystemExit: it is not answered with one.
    """
    answer = client.get(address, secure=True)
    if answer.status_code != 200:
        raise SystemExit(f"{address} answers {answer.status_code}.")

"""The step between the right password and the code: remembered in the session, without being signed in."""

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import User

_KEY = "pending_sign_in"
SECONDS = 10 * 60


def begin(session: SessionBase, user: User, *, next_url: str = "") -> None:
    """Remember who gave the right password and where they wanted to go, under a fresh session key."""
    session.cycle_key()
    session[_KEY] = {
        "user": user.pk,
        "at": int(timezone.now().timestamp()),
        "password": user.get_session_auth_hash(),
        "next": next_url,
        "reader": reader_mark(user),
    }
    # Reading a secret and typing it into an app takes longer than the idle timeout of a signed-in session.
    session.set_expiry(SECONDS)


def user_of(session: SessionBase) -> User | None:
    """Return who is waiting to give a code; None after ten minutes, or if they were locked or got a new password
    meanwhile."""
    pending = session.get(_KEY)
    if not pending or timezone.now().timestamp() - pending["at"] > SECONDS:
        return None
    user = User.objects.filter(pk=pending["user"]).first()
    if user is None or not user.can_sign_in or user.get_session_auth_hash() != pending["password"]:
        return None
    return user


def reader_mark(user: User) -> str:
    """Return the mark of forms that are shown to this person."""
    return salted_hmac("reader of a form", str(user.public_id)).hexdigest()


def reader_of(session: SessionBase) -> str:
    """Return the mark of the person who is waiting to give a code; "" if nobody is."""
    return session.get(_KEY, {}).get("reader", "")


def enrolment_device_id(session: SessionBase) -> int | None:
    """Return the device whose secret this session was shown."""
    return session.get(_KEY, {}).get("device")


def remember_enrolment_device(session: SessionBase, device_id: int) -> None:
    if enrolment_device_id(session) != device_id:  # showing a page again writes nothing
        session[_KEY] = session[_KEY] | {"device": device_id}


def end(session: SessionBase) -> str:
    """Forget the step, give the session the ordinary lifetime again, and return where the person wanted to go."""
    pending = session.pop(_KEY, None)
    session.set_expiry(None)
    return pending["next"] if pending else ""

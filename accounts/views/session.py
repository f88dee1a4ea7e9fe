"""What an open page asks about its session, and how it keeps the session alive (R1.6)."""

from datetime import datetime

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import SignedInRequest
from accounts.sign_in.sessions import clock as session_clock
from accounts.sign_in.sessions import pages
from accounts.sign_in.sessions.pages import is_signed_in


@session_clock.without_renewal
@login_not_required  # once the session is over, the page is told so, not redirected
@require_GET
def session_left(request: HttpRequest) -> JsonResponse:
    """Return the seconds until the session ends by its last noted use, and the spare seconds for use that was not
    noted, both 0 once it is over; and whether activity would delay the end."""
    row = pages.open_row(request.session) if is_signed_in(request) else None
    if row is None:
        return JsonResponse({"seconds_left": 0, "spare_seconds": 0, "can_extend": False})
    return _answer(request, seen_at=row.last_seen_at)


@require_POST
def session_extend(request: SignedInRequest) -> JsonResponse:
    """Note that a person is there. Every request of a person renews the session; this one does nothing else."""
    get_token(request)  # the cookie lives an hour: a person who extends for longer must still be able to send the form
    return _answer(request, seen_at=timezone.now())


def _answer(request: HttpRequest, *, seen_at: datetime) -> JsonResponse:
    left = session_clock.time_left(request.session, seen_at=seen_at, now=timezone.now())
    return JsonResponse(
        {
            "seconds_left": left.seconds,
            "spare_seconds": left.spare_seconds,
            "can_extend": left.absolute > left.idle,
        }
    )

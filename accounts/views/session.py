"""What an open page asks about its session, and how it keeps it (R1.6)."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import SignedInRequest
from accounts.sign_in.sessions import clock as session_clock
from accounts.views.sign_in import is_signed_in


@session_clock.without_renewal
@login_not_required  # once it is over, the page is to be told so, not to be sent to another
@require_GET
def session_left(request: HttpRequest) -> JsonResponse:
    """Seconds until the session ends, 0 if it has, and whether somebody being there would put that off."""
    return _answer(request) if is_signed_in(request) else JsonResponse({"seconds_left": 0, "can_extend": False})


@require_POST
def session_extend(request: SignedInRequest) -> JsonResponse:
    """Somebody is there. Every request of a person renews the session; this one does nothing else."""
    session_clock.renew(request.session, now=_now())
    get_token(request)  # the page's cookie lives an hour: who extends for longer must still be able to send the form
    return _answer(request)


def _answer(request: HttpRequest) -> JsonResponse:
    left = session_clock.time_left(request.session, now=_now())
    return JsonResponse({"seconds_left": left.seconds, "can_extend": left.absolute > left.idle})


def _now() -> int:
    return int(timezone.now().timestamp())

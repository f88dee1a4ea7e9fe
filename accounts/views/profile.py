from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import selectors
from accounts.forms import FreshCodeForm, ProfileForm
from accounts.models import SignedInRequest
from accounts.people import page_acts
from accounts.people.profile import TooManyChanges
from accounts.sign_in import two_factor
from accounts.sign_in.sessions import pages
from accounts.sign_in.sessions.ending import SessionNotFound
from accounts.sign_in.signing_in import LockedOut
from accounts.views.refusals import refusals_shown_in
from accounts.views.sign_in import locked_out
from foundation.limiter.limiter import TooOften


@require_safe
def profile(request: SignedInRequest) -> HttpResponse:
    """Show everything about oneself: details, ways to sign in, open sessions, recent sign-ins (R1.8)."""
    user = request.user
    page = {
        "person": user,
        "waiting": selectors.name_that_waits(user),
        "sessions": selectors.open_sessions(user, present=pages.id_of(request.session)),
        "max_sessions": settings.MAX_SESSIONS,
        "sign_ins": selectors.recent_sign_ins(user),
        "recovery_codes_left": selectors.recovery_codes_left(user),
    }
    return render(request, "accounts/profile.html", page)


@require_http_methods(["GET", "HEAD", "POST"])
def details(request: SignedInRequest) -> HttpResponse:
    """Change phone and address, at once, with a code. The page also shows the name, and where to ask for another."""
    user = request.user
    now = {"phone": user.phone, "address": user.address}
    form = ProfileForm(request.POST or None, initial=now, needs_contact=not user.is_staff)
    if request.method == "POST" and form.is_valid():
        try:
            with refusals_shown_in(form):
                changed = page_acts.update_details(request, **form.cleaned_data)
                messages.success(request, "Your details are saved." if changed else "Nothing was changed.")
                return redirect("profile")
        except TooManyChanges:
            raise
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
    context = {
        "form": form,
        "person": user,
        "waiting": selectors.name_that_waits(user),
        "demo_code": two_factor.current_code(user) if settings.DEMO else None,
    }
    return render(request, "accounts/profile_details.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def end_session(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask for a code, and sign out one other session."""
    present = pages.id_of(request.session)
    if public_id == present:  # its button is in the header
        return redirect("profile")
    session = next(
        (one for one in selectors.open_sessions(request.user, present=present) if one.public_id == public_id), None
    )
    if session is None:
        raise Http404
    return _ending(
        request,
        lambda code: page_acts.end_session(request, public_id=public_id, code=code),
        lambda _: "That session is signed out.",
        session=session,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def end_other_sessions(request: SignedInRequest) -> HttpResponse:
    """Ask for a code, and sign out all other sessions."""
    return _ending(
        request,
        lambda code: page_acts.end_other_sessions(request, code=code),
        lambda count: "All your other sessions are signed out." if count else "There was no other session.",
    )


def _ending(
    request: SignedInRequest,
    end: Callable[[str], int | None],
    said: Callable[[int | None], str],
    session: selectors.OpenSession | None = None,
) -> HttpResponse:
    form = FreshCodeForm(request.POST or None, recovery_code_too=True)
    if request.method == "POST" and form.is_valid():
        try:
            with refusals_shown_in(form):
                messages.success(request, said(end(form.cleaned_data["code"])))
                return redirect("profile")
        except SessionNotFound as error:  # it ended meanwhile
            raise Http404 from error
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
    demo_code = two_factor.current_code(request.user) if settings.DEMO else None
    return render(request, "accounts/session_end.html", {"form": form, "session": session, "demo_code": demo_code})

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import selectors
from accounts.forms import ProfileForm
from accounts.models import SignedInRequest
from accounts.people import page_acts
from accounts.people.profile import TooManyChanges
from accounts.sign_in import two_factor
from accounts.sign_in.sessions import pages
from accounts.sign_in.sessions import rows as user_sessions
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


@require_POST
def end_session(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    try:
        user_sessions.end_one(actor=request.user, public_id=public_id)
    except user_sessions.SessionNotFound as error:
        raise Http404 from error
    messages.success(request, "That session is signed out.")
    return redirect("profile")


@require_POST
def end_other_sessions(request: SignedInRequest) -> HttpResponse:
    count = pages.end_others(request.session, actor=request.user)
    messages.success(request, "All your other sessions are signed out." if count else "There was no other session.")
    return redirect("profile")

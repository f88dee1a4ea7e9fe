from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import CodeForm, FreshCodeForm
from accounts.models import SignedInRequest
from accounts.people import page_acts
from accounts.sign_in import new_recovery_codes, two_factor
from accounts.sign_in.authenticator import NothingToReplace
from accounts.sign_in.signing_in import LockedOut
from accounts.views.refusals import refusals_shown_in
from accounts.views.sign_in import locked_out
from foundation.limiter.limiter import TooOften


@require_http_methods(["GET", "HEAD", "POST"])
def recovery_codes(request: SignedInRequest) -> HttpResponse:
    """Show ten new recovery codes for a fresh code."""
    form = FreshCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with refusals_shown_in(form):
                codes = page_acts.renew_recovery_codes(request, code=form.cleaned_data["code"])
                return _show(request, codes)
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
    demo_code = two_factor.current_code(request.user) if settings.DEMO else None
    return render(request, "accounts/recovery_codes_renew.html", {"form": form, "demo_code": demo_code})


@require_http_methods(["GET", "HEAD", "POST"])
def replace(request: SignedInRequest) -> HttpResponse:
    """Take the first step: a code of the current app, or a recovery code."""
    form = FreshCodeForm(request.POST or None, recovery_code_too=True)
    if request.method == "POST" and form.is_valid():
        try:
            with refusals_shown_in(form):
                page_acts.begin_replacement(request, code=form.cleaned_data["code"])
                return redirect("authenticator_new")
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
    demo_code = two_factor.current_code(request.user) if settings.DEMO else None
    wait_hours = None if request.user.is_staff else settings.HARDENED_HOURS
    page = {"form": form, "demo_code": demo_code, "wait_hours": wait_hours}
    return render(request, "accounts/authenticator_replace.html", page)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    """Take the second step: a code of the new app."""
    form = CodeForm(request.POST or None)
    form.fields["code"].label = "Code from the new app"
    form.fields["code"].help_text = "Six digits, new every 30 seconds."
    try:
        device = page_acts.replacement_device(request.session, actor=request.user)
        if request.method == "POST" and form.is_valid():
            with refusals_shown_in(form):
                codes = page_acts.complete_replacement(request, code=form.cleaned_data["code"])
                return _show(request, codes)
    except NothingToReplace:
        return redirect("authenticator_replace")
    page = {
        "form": form,
        "replaces": True,
        "qr_data_uri": two_factor.qr_data_uri(device),
        "secret_text": two_factor.secret_text(device),
        "demo_code": two_factor.current_code(request.user, device) if settings.DEMO else None,
    }
    return render(request, "accounts/two_factor_enrol.html", page)


@require_safe
def codes_shown(request: SignedInRequest) -> HttpResponse:
    """Show the new codes, for the ten minutes that it takes to write them down."""
    kept = new_recovery_codes.shown(request.session, request.user)
    if kept is None:
        return redirect("home")
    codes, continue_url = kept
    return render(request, "accounts/recovery_codes.html", {"codes": codes, "continue_url": continue_url})


codes_shown.allowed_before_password_change = True  # type: ignore[attr-defined]


def _show(request: SignedInRequest, codes: list[str]) -> HttpResponse:
    new_recovery_codes.keep(request.session, request.user, codes, continue_url=reverse("profile"))
    return redirect("recovery_codes_shown")

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from accounts import demo_people
from accounts.forms import CodeForm, SignInForm
from accounts.people import page_acts
from accounts.sign_in import devices, two_factor
from accounts.sign_in import signing_in as service
from accounts.sign_in.origin import origin_of
from accounts.sign_in.sessions import pages
from accounts.sign_in.sessions import pending as pending_sign_in
from accounts.sign_in.sessions.pages import is_signed_in

WRONG_PASSWORD = "E-mail or password is not right."  # noqa: S105 - a message


def for_visitors(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Send people who are signed in home, by GET and POST: they have signed in in another tab meanwhile. A form for
    visitors whose token that sign-in has renewed is answered so too (`bankproject.errors.csrf_failure`)."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not is_signed_in(request):
            return view(request, **kwargs)
        return redirect(_safe_next(request) or "home")

    guarded.is_for_visitors = True  # type: ignore[attr-defined] # read by csrf_failure, which has only the view
    return guarded


@login_not_required
def home(request: HttpRequest) -> HttpResponse:
    """Send everybody to where their day begins (R1.10)."""
    if not is_signed_in(request):
        return redirect("sign_in")
    return redirect("admin:index" if request.user.is_staff else "dashboard")


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def sign_in(request: HttpRequest) -> HttpResponse:
    """Take the first step: e-mail and password."""
    form = SignInForm(request.POST or None)
    next_url = _safe_next(request)
    if request.method == "POST" and form.is_valid():
        try:
            user = service.verify_password(
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password"],
                origin=origin_of(request),
            )
        except service.SignInRefused:
            form.add_error(None, WRONG_PASSWORD)
        except service.LockedOut as error:
            return locked_out(request, error)
        else:
            pending_sign_in.begin(request.session, user, next_url=next_url)
            return redirect("sign_in_code" if two_factor.confirmed_device(user) else "two_factor_enrol")
    context = {"form": form, "next": next_url, **demo_people.sign_in_hints()}
    return render(request, "accounts/sign_in.html", context)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """Take the second step: a code of the authenticator app, or a recovery code."""
    user = pending_sign_in.user_of(request.session)
    if user is None or two_factor.confirmed_device(user) is None:
        return redirect("sign_in")
    form = CodeForm(request.POST or None)
    form.fields["code"].label = "Code"
    form.fields["code"].help_text = "Six digits from your authenticator app, or one of your recovery codes."
    if request.method == "POST" and form.is_valid():
        try:
            device = service.verify_code(user=user, code=form.cleaned_data["code"], origin=origin_of(request))
        except service.SignInRefused:
            form.add_error("code", two_factor.WrongCode.text)
        except service.TryAgainIn as error:
            form.add_error("code", str(error))
        except service.LockedOut as error:
            pending_sign_in.end(request.session)
            return locked_out(request, error)
        else:
            next_url = pending_sign_in.end(request.session)
            browser = page_acts.complete_sign_in(request, user=user, device=device)
            return devices.kept_by(redirect(next_url or "home"), browser)
    demo_code = two_factor.current_code(user) if settings.DEMO else None
    return render(request, "accounts/sign_in_code.html", {"form": form, "email": user.email, "demo_code": demo_code})


@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out, by POST only: a link on another site must not sign anyone out."""
    pages.sign_out(request)
    return redirect("sign_in")


def sign_out_first(request: HttpRequest) -> HttpResponse:
    """Answer 409 to a link in a mail that a person follows who is signed in: it may be for another one."""
    return render(request, "accounts/link_for_another.html", status=409)


def locked_out(request: HttpRequest, error: service.LockedOut) -> HttpResponse:
    """Answer after too many wrong guesses; signed-in people see the bank's own frame, since they stay signed in."""
    minutes = -(-error.retry_after // 60)
    template = "accounts/too_many_codes.html" if is_signed_in(request) else "accounts/locked_out.html"
    response = render(request, template, {"minutes_left": minutes}, status=429)
    response["Retry-After"] = str(error.retry_after)
    return response


def keep_our_answer(request: HttpRequest, response: HttpResponse, credentials: object) -> HttpResponse:
    """Return the view's own answer, for `AXES_LOCKOUT_CALLABLE`: it has already said so with the bank's page."""
    return response


def _safe_next(request: HttpRequest) -> str:
    """Return where to go on after signing in; always one of our own pages."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return url if ours and url.startswith("/") and url != reverse("home") else ""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import ConfirmRegistrationForm, RegistrationForm
from accounts.models import Registration
from accounts.people import registration as service
from accounts.sign_in.sessions import pending as pending_sign_in
from accounts.sign_in.sessions.pages import is_signed_in
from accounts.sign_in.signing_in import LockedOut
from accounts.views.sign_in import for_visitors, locked_out, sign_out_first
from foundation.limiter.limiter import TooOften
from foundation.request_context import client_ip


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def register(request: HttpRequest) -> HttpResponse:
    """Let a visitor who is not signed in ask for a user (R1.1)."""
    form = RegistrationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            service.register(
                first_name=data["first_name"],
                last_name=data["last_name"],
                email=data["email"],
                phone=data["phone"],
                address=data["address"],
                password=data["password1"],
                ip=client_ip(request),
            )
        except TooOften:
            form.add_error(None, "Too many people registered just now. Please try again later.")
        else:
            request.session["registered_email"] = data["email"]
            return redirect("register_sent")
    return render(request, "accounts/register.html", {"form": form})


@login_not_required
@require_safe
def register_sent(request: HttpRequest) -> HttpResponse:
    context = {"email": request.session.get("registered_email", ""), "again_url": reverse("register")}
    return render(request, "accounts/check_your_email.html", context)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def register_confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm by the link in the mail: a GET changes nothing (mail scanners follow links), the password confirms."""
    try:
        email = Registration.find(token).email
        if is_signed_in(request):
            return sign_out_first(request)
        form = ConfirmRegistrationForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            user = service.confirm(token=token, password=form.cleaned_data["password"], ip=client_ip(request))
            pending_sign_in.begin(request.session, user)
            return redirect("two_factor_enrol")
    except service.LinkInvalid:
        again = {"again_url": reverse("register"), "again_label": "Register again"}
        return render(request, "accounts/link_expired.html", again, status=404)
    except service.WrongPassword as refusal:
        form.add_error("password", str(refusal))
    except TooOften as error:
        return locked_out(request, LockedOut(error.retry_after))
    return render(request, "accounts/register_confirm.html", {"form": form, "email": email})

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import ForgottenPasswordForm, NewPasswordForm
from accounts.models import PasswordReset
from accounts.sign_in.passwords import reset as service
from accounts.sign_in.sessions.pages import is_signed_in
from accounts.views.sign_in import for_visitors, sign_out_first
from foundation.limiter.limiter import TooOften
from foundation.mail_links import LinkInvalid
from foundation.request_context import client_ip


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def forgot(request: HttpRequest) -> HttpResponse:
    """Ask for a link; the answer is the same whether or not the address has a user (R1.9)."""
    form = ForgottenPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            service.request_reset(email=form.cleaned_data["email"], ip=client_ip(request))
        except TooOften:
            form.add_error(None, "Too many people asked just now. Please try again later.")
        else:
            request.session["reset_email"] = form.cleaned_data["email"]
            return redirect("password_forgot_sent")
    return render(request, "accounts/password_forgot.html", {"form": form})


@login_not_required
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    context = {"email": request.session.get("reset_email", ""), "again_url": reverse("password_forgot")}
    return render(request, "accounts/check_your_email.html", context)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest, token: str) -> HttpResponse:
    """Reset the password by the link in the mail: a GET changes nothing, the form sets the password and signs nobody
    in."""
    try:
        user = PasswordReset.find(token).whose
        if is_signed_in(request):
            return sign_out_first(request)
        form = NewPasswordForm(request.POST or None, user=user)
        if request.method == "POST" and form.is_valid():
            service.reset_password(token=token, new_password=form.cleaned_data["new_password1"])
            messages.success(request, "Your password is changed. Sign in with the new one.")
            return redirect("sign_in")
    except LinkInvalid:
        again = {"again_url": reverse("password_forgot"), "again_label": "Ask for a new link"}
        return render(request, "accounts/link_expired.html", again, status=404)
    except ValidationError as error:
        form.add_error("new_password1", error)
    return render(request, "accounts/password_reset.html", {"form": form, "email": user.email})

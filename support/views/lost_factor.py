"""Between the right password and the code, for a person who can give none."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.sign_in import two_factor
from accounts.sign_in.sessions import pending as pending_sign_in
from accounts.views.sign_in import for_visitors
from foundation.mail_links import LinkInvalid
from support.models import LostFactorLink
from support.requests import lost_factor as service


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def lost_factor(request: HttpRequest) -> HttpResponse:
    """Show what will happen, and the button that sends the link."""
    user = _who_gave_the_password(request)
    if user is None:
        return redirect("sign_in")
    if request.method == "POST":
        service.request_link(user=user)
        return redirect("lost_factor_sent")
    return render(request, "support/lost_factor.html", {"form": forms.Form(), "email": user.email})


@login_not_required
@require_safe
@for_visitors
def sent(request: HttpRequest) -> HttpResponse:
    user = _who_gave_the_password(request)
    if user is None:
        return redirect("sign_in")
    context = {"email": user.email, "again_url": reverse("lost_factor")}
    return render(request, "accounts/check_your_email.html", context)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """File the request by the link in the mail: a GET changes nothing, and neither answer says whose link it is."""
    try:
        LostFactorLink.find(token)
        if request.method == "POST":
            service.confirm(token=token)
            messages.success(request, "We have your request. We’ll email you our decision.")
            return redirect("sign_in")
    except LinkInvalid:
        again = {"again_url": reverse("sign_in"), "again_label": "Start again"}
        return render(request, "accounts/link_expired.html", again, status=404)
    return render(request, "support/lost_factor_confirm.html", {"form": forms.Form()})


def _who_gave_the_password(request: HttpRequest) -> User | None:
    """Return the person who gave the password, if they have a second factor to lose; others are asked to set one up."""
    user = pending_sign_in.user_of(request.session)
    return user if user is not None and two_factor.confirmed_device(user) is not None else None

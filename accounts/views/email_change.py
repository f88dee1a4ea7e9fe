from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.forms import EmailChangeForm
from accounts.models import EmailChange, SignedInRequest
from accounts.people import email_change as service
from accounts.people import page_acts
from accounts.sign_in import two_factor
from accounts.sign_in.signing_in import LockedOut
from accounts.views.refusals import refusals_shown_in
from accounts.views.sign_in import locked_out
from foundation.limiter.limiter import TooOften
from foundation.mail_links import LinkInvalid


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: SignedInRequest) -> HttpResponse:
    """Ask for another address; the answer is the same whether or not the address has a user."""
    form = EmailChangeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            with refusals_shown_in(form):
                page_acts.request_email_change(
                    request, new_email=data["email"], password=data["password"], code=data["code"]
                )
                messages.info(request, f"We have written to {data['email']}. Follow the link there to confirm it.")
                return redirect("profile")
        except service.SameEmail as refusal:
            form.add_error("email", str(refusal))
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
    demo_code = two_factor.current_code(request.user) if settings.DEMO else None
    return render(request, "accounts/email_change.html", {"form": form, "demo_code": demo_code})


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: SignedInRequest, token: str) -> HttpResponse:
    """Confirm by the link in the mail, followed by the person who asked for it: a GET changes nothing."""
    try:
        email = EmailChange.find(token, user=request.user).email
        if request.method == "POST":
            service.confirm_change(actor=request.user, token=token)
            messages.success(request, f"Your e-mail address is {email} now. Sign in with it from now on.")
            return redirect("profile")
    except LinkInvalid:
        again = {"again_url": reverse("email_change"), "again_label": "Ask for a new link"}
        return render(request, "accounts/link_expired.html", again, status=404)
    return render(request, "accounts/email_change_confirm.html", {"form": forms.Form(), "email": email})

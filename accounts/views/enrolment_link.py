"""Between the right password and another authenticator app, for a person whose second factor the bank has reset."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import EnrolmentLink
from accounts.sign_in import enrolment_link as service
from accounts.sign_in.sessions import pending as pending_sign_in
from accounts.sign_in.sessions.pages import is_signed_in
from accounts.views.sign_in import for_visitors, sign_out_first
from foundation.mail_links import LinkInvalid


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def needed(request: HttpRequest) -> HttpResponse:
    """Say that the link is in their mail; the button sends another, or the first one if the bank has sent none."""
    user = pending_sign_in.user_of(request.session)
    if user is None:
        return redirect("sign_in")
    if not service.is_missing(user, service.proof_in(request.session)):
        return redirect("two_factor_enrol")
    was_sent = service.was_sent(user)
    if request.method == "POST":
        try:
            service.send_again(user=user)
        except LinkInvalid:  # meanwhile another window has set the app up, or the bank has locked them
            return redirect("two_factor_enrol")
        another = "We have sent you another link. The one before it no longer works."
        messages.success(request, another if was_sent else "We have sent you the link.")
        return redirect("enrolment_link_needed")
    page = {"form": forms.Form(), "email": user.email, "was_sent": was_sent}
    return render(request, "accounts/enrolment_link_needed.html", page)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Open the link in the mail: a GET changes nothing, and neither answer says whose link it is."""
    try:
        EnrolmentLink.find(token)
        if is_signed_in(request):
            return sign_out_first(request)
        if request.method == "POST":
            service.open_in(request.session, token=token)
            return redirect("two_factor_enrol" if pending_sign_in.user_of(request.session) else "sign_in")
    except LinkInvalid:
        again = {"again_url": reverse("sign_in"), "again_label": "Start again"}
        return render(request, "accounts/link_expired.html", again, status=404)
    return render(request, "accounts/enrolment_link.html", {"form": forms.Form()})

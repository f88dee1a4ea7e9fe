"""The link in the mail to the person whom an administrator's act concerns: it stops the act before it takes effect
(R5.8)."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.models import StopLink
from accounts.permission import second_person
from foundation.mail_links import LinkInvalid

_TOO_LATE = (
    "This was stopped or decided, or it has taken effect. If you don’t know what it was about, sign in and "
    "write to us at once."
)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Stop the act; a GET changes nothing: mail scanners follow links. Nobody has to sign in, since the sign-in may be
    what was stolen."""
    try:
        act = StopLink.find(token).act
        if request.method == "POST":
            second_person.stop_by_link(token=token)
            messages.success(request, "Stopped: nothing was changed. Write to us if you do not know why it was asked.")
            return redirect("sign_in")
    except LinkInvalid:
        return render(request, "accounts/link_expired.html", {"intro": _TOO_LATE}, status=404)
    said = second_person.kind_of(act).said_to_person(act)
    page = {"form": forms.Form(), "what": said, "effective_at": act.effective_at}
    return render(request, "accounts/stop_act.html", page)

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.forms import FreshCodeForm, PinForm
from accounts.models import SignedInRequest
from accounts.people import page_acts
from accounts.sign_in import two_factor
from accounts.sign_in.pins import NoPin, PinLocked
from accounts.sign_in.signing_in import LockedOut
from accounts.views.refusals import refusals_shown_in
from accounts.views.sign_in import locked_out
from foundation.limiter.limiter import TooOften


@require_http_methods(["GET", "HEAD", "POST"])
def pin(request: SignedInRequest) -> HttpResponse:
    """Set or change the PIN for apps."""
    form = PinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            with refusals_shown_in(form):
                page_acts.set_pin(request, pin=data["pin"], code=data["code"])
                messages.success(request, "Your PIN for apps is set.")
                return redirect("profile")
        except PinLocked:
            return redirect("pin")  # which says so
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
    demo_code = two_factor.current_code(request.user) if settings.DEMO else None
    return render(request, "accounts/pin.html", {"form": form, "person": request.user, "demo_code": demo_code})


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: SignedInRequest) -> HttpResponse:
    """Ask for confirmation, with a fresh code. Without a PIN that could be removed there is nothing to ask."""
    if not request.user.has_pin or request.user.pin_locked_at is not None:
        return redirect("pin")
    form = FreshCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with refusals_shown_in(form):
                page_acts.remove_pin(request, code=form.cleaned_data["code"])
                messages.success(request, "Your PIN for apps is removed.")
                return redirect("profile")
        except (PinLocked, NoPin):  # meanwhile, elsewhere
            return redirect("pin")
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
    demo_code = two_factor.current_code(request.user) if settings.DEMO else None
    return render(request, "accounts/pin_remove.html", {"form": form, "demo_code": demo_code})

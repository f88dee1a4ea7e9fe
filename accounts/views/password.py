from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.forms import PasswordChangeForm
from accounts.models import SignedInRequest
from accounts.people import page_acts
from accounts.sign_in.passwords import change as passwords
from accounts.sign_in.signing_in import LockedOut
from accounts.views.sign_in import locked_out
from foundation.limiter.limiter import TooOften


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: SignedInRequest) -> HttpResponse:
    """Change one's own password; people who must do that are sent here."""
    user = request.user
    form = PasswordChangeForm(request.POST or None, user=user)
    forced = user.must_change_password
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            page_acts.change_password(request, old_password=data["old_password"], new_password=data["new_password1"])
        except passwords.WrongCurrentPassword:
            form.add_error("old_password", "This is not your current password.")
        except ValidationError as error:
            form.add_error("new_password1", error)
        except TooOften as error:
            return locked_out(request, LockedOut(error.retry_after))
        else:
            messages.success(request, "Your password is changed. All your other sessions have ended.")
            return redirect("home")
    return render(request, "accounts/password_change.html", {"form": form, "forced": forced})


change.allowed_before_password_change = True  # type: ignore[attr-defined]

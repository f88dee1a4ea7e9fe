from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.models import SignedInRequest
from foundation.money import format_money
from transfers import history
from transfers.forms import LowerLimitForm
from transfers.orders import own_limits
from transfers.views.access import needs


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def daily_limit(request: SignedInRequest) -> HttpResponse:
    """Show what is left of today's limit, a form that lowers it at once, and the way to ask for more."""
    form = LowerLimitForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        amount = form.cleaned_data["amount"]
        try:
            own_limits.lower_daily_limit(actor=request.user, amount=amount)
        except own_limits.NotLower as refusal:
            form.add_error("amount", str(refusal))
        else:
            messages.success(request, f"Your daily limit is {format_money(amount)} from now on.")
            return redirect("daily_limit")
    return render(request, "transfers/daily_limit.html", {"form": form, "daily": history.daily_use(request.user)})

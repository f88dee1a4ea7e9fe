from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.forms import CodeForm
from accounts.people import page_acts
from accounts.sign_in import devices, enrolment_link, new_recovery_codes, two_factor
from accounts.sign_in.sessions import pending as pending_sign_in
from accounts.views.sign_in import for_visitors


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def enrol(request: HttpRequest) -> HttpResponse:
    """Turn two-factor on; nobody gets any further without it (R1.3)."""
    user = pending_sign_in.user_of(request.session)
    if user is None:
        return redirect("sign_in")
    form = CodeForm(request.POST or None)
    form.fields["code"].label = "Code from the app"
    form.fields["code"].help_text = "Six digits, new every 30 seconds."
    proof = enrolment_link.proof_in(request.session)
    try:
        shown_before = pending_sign_in.enrolment_device_id(request.session)
        device = two_factor.enrolment_device(user, shown_before, proof=proof)
        pending_sign_in.remember_enrolment_device(request.session, device.pk)
        if request.method == "POST" and form.is_valid():
            code = form.cleaned_data["code"]
            confirmed, codes = two_factor.confirm_enrolment(user, device, code=code, proof=proof)
            enrolment_link.forget_in(request.session)
            next_url = pending_sign_in.end(request.session)
            browser = page_acts.complete_sign_in(request, user=user, device=confirmed)
            new_recovery_codes.keep(request.session, user, codes, continue_url=next_url or reverse("home"))
            return devices.kept_by(redirect("recovery_codes_shown"), browser)
    except two_factor.WrongCode as refusal:
        form.add_error("code", str(refusal))
    except two_factor.AlreadyEnrolled:
        return redirect("sign_in_code")
    except enrolment_link.LinkNeeded:
        return redirect("enrolment_link_needed")
    page = {
        "form": form,
        "qr_data_uri": two_factor.qr_data_uri(device),
        "secret_text": two_factor.secret_text(device),
        "demo_code": two_factor.current_code(user) if settings.DEMO else None,
    }
    return render(request, "accounts/two_factor_enrol.html", page)

"""Demo mode only: the mails that the bank has sent, readable by anyone, since no real mail leaves the bank."""

import re
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from post_office.models import STATUS, Email

SHOWN = 100
_LINK = re.compile(r"https?://\S+")


def _demo_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: int) -> HttpResponse:
        if not settings.DEMO:
            raise Http404
        return view(request, **kwargs)

    return guarded


@login_not_required
@require_safe
@_demo_only
def mailbox(request: HttpRequest) -> HttpResponse:
    rows = Email.objects.filter(status=STATUS.sent).order_by("-id")[:SHOWN]
    mails = [{"pk": row.pk, "to": ", ".join(row.to), "subject": row.subject, "created": row.created} for row in rows]
    return render(request, "accounts/mailbox.html", {"mails": mails})


@login_not_required
@require_safe
@_demo_only
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Email, pk=pk, status=STATUS.sent)
    context = {
        "mail": {
            "to": ", ".join(row.to),
            "subject": row.subject,
            "created": row.created,
            "body_text": row.message,
        },
        "lines": [_line(text) for text in row.message.splitlines()],
    }
    return render(request, "accounts/mail.html", context)


def _line(text: str) -> dict[str, str | None]:
    """Return a line of the mail; a link to this site becomes clickable."""
    found = _LINK.search(text)
    url = found.group() if found and found.group().startswith(settings.SITE_URL + "/") else None
    return {"text": text, "url": url}

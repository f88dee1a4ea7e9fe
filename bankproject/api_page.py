"""What is under /api/ and is no route of it: the page on which people read the API's document and try it (Swagger's
files are served by the bank itself), and the answer where there is nothing."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from foundation.rest.problems import answer_to


@login_not_required  # it shows what the API is, and nothing of anybody's
@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api_docs.html", {"document_url": reverse("api:openapi-json")})


@csrf_exempt  # it does nothing
@login_not_required
def nowhere(request: HttpRequest) -> HttpResponse:
    """404 in the API's own shape, without a page being drawn for it."""
    return answer_to(Http404())

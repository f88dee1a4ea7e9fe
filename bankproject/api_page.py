"""The addresses under /api/ that are not routes: the page on which people read the API's document and try it (the bank
itself serves Swagger's files), and the answer where there is nothing."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from foundation.rest.problems import answer_to


@login_not_required  # it shows what the API is, and no person's data
@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api_docs.html", {"document_url": reverse("api:openapi-json")})


@csrf_exempt  # it does nothing
@login_not_required
def nowhere(request: HttpRequest) -> HttpResponse:
    """Answer 404 in the API's own shape, without drawing a page."""
    return answer_to(Http404())

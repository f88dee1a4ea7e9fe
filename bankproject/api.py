"""The REST API: the apps' routers under /api/v1/, and rules for all of their routes (R7).

Deny by default: every route needs an access token unless it says `auth=None`, and a test lists those that do. To add a
router, add it here; it needs nothing else.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Router
from ninja.openapi.schema import OpenAPISchema

from accounts.api.bearer import AccessToken
from accounts.api.profile import router as profile_router
from accounts.api.sign_in import router as accounts_router
from accounts.api.staff import log_router
from accounts.api.staff import router as staff_of_people
from audit import refused
from foundation.limiter import limiter
from foundation.rest import rates
from foundation.rest.body import StrictParser, check_query
from foundation.rest.document import complete
from foundation.rest.problems import Problem, answer_to
from support.api.customers import router as support_router
from support.api.staff import router as staff_of_support
from transfers.api.freezing import router as freezing_router
from transfers.api.freezing import staff_router as staff_of_accounts
from transfers.api.limits import router as limits_router
from transfers.api.money import router as transfers_router
from transfers.api.money_schemas import PROBLEM_MEMBERS
from transfers.api.staff import router as staff_of_transfers

_DESCRIPTION = (
    "Everything a customer can do, for programs. Amounts are strings, times are RFC 3339 in UTC, errors are "
    "`application/problem+json` with a stable `code`. Walk-through: docs/api.md."
)
_TAGS = {
    "Signing in": "Tokens, registration, two-factor, and where you are signed in.",
    "Profile": "Your details, and the ways you sign in.",
    "Accounts and money": "Your accounts, payments, receipts, statements.",
    "Payees": "Whom you have paid.",
    "Daily limit": "What you can pay out in a day.",
    "Help": "Questions to the bank, and requests for what only the bank can do.",
    "Staff": "For the bank's staff, each as far as their role goes.",
}


class BankApi(NinjaAPI):
    """django-ninja with the bank's errors, its document, and its own authentication instead of the pages'."""

    def __init__(self, *routers: Router, namespace: str) -> None:
        super().__init__(
            title="Bank API",
            version="1",
            urls_namespace=namespace,
            auth=AccessToken(),
            parser=StrictParser(),
            docs_url=None,  # a page of our own, without inline code: bankproject.api_page
            docs_decorator=require_safe,
        )
        self.add_decorator(_guarded, mode="view")
        for router in routers:
            self.add_router("", router)

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        refused.note(request, exc)
        return answer_to(exc)

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**kwargs)
        complete(document, self, description=_DESCRIPTION, tags=_TAGS, members=PROBLEM_MEMBERS)
        return document

    def get_openapi_operation_id(self, operation: Any) -> str:
        """Return the route's own name: client generators use it for their methods."""
        return operation.view_func.__name__

    def _get_urls(self) -> list[Any]:
        urls: list[Any] = super()._get_urls()
        for pattern in urls:
            # Routes have their own authentication; the pages' would send programs to a sign-in page.
            pattern.callback.login_required = False
            # The API reads no cookie, so a browser proves nothing and there is nothing to forge. Asked for a form's
            # token, a program that uses a wrong method would get 403 in place of 405.
            pattern.callback.csrf_exempt = True
        return _by_first_part(urls)


def _by_first_part(patterns: list[URLPattern]) -> list[URLPattern | URLResolver]:
    """Return the same addresses, grouped by their first part: a request is then compared with two dozen patterns at
    most, and not with every route. No group can match in place of another: their first parts differ."""
    alike: dict[str, list[URLPattern]] = {}
    alone: list[URLPattern | URLResolver] = []
    for pattern in patterns:
        first, slash, rest = str(pattern.pattern).partition("/")
        if slash and "<" not in first:
            alike.setdefault(first + slash, []).append(path(rest, pattern.callback, name=pattern.name))
        else:
            alone.append(pattern)
    return [*(path(first, include(those)) for first, those in alike.items()), *alone]


def _guarded(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return the wrapper of each operation."""
    operation: Any = run.__self__  # type: ignore[attr-defined]
    if "GET" in operation.methods:
        operation.methods = ["GET", "HEAD"]  # the server leaves the body out (RFC 9110, 9.3.2)
    operation.query_names = frozenset(
        name
        for model in operation.models
        if model.__ninja_param_source__ == "query"
        for name in model.__ninja_flatten_map__
    )
    rate = getattr(operation.view_func, "rate", "")

    @wraps(run)
    def guarded(request: HttpRequest, **path: Any) -> HttpResponse:
        request.user = AnonymousUser()  # whatever a cookie says
        request.query_names = operation.query_names  # type: ignore[attr-defined]
        if any(isinstance(part, str) and "\x00" in part for part in path.values()):
            return answer_to(Http404())
        if request.GET and not operation.query_names:
            # Parameters of other routes are checked with their values, after authentication.
            try:
                check_query(request.GET, ())
            except Problem as problem:
                return answer_to(problem)
        if not rate:
            return run(request, **path)
        with limiter.noting() as taken:
            response = run(request, **path)
        rates.add_headers(response, rate, taken)
        return response

    return guarded


api = BankApi(
    accounts_router,
    transfers_router,
    freezing_router,
    profile_router,
    limits_router,
    support_router,
    staff_of_people,
    staff_of_accounts,
    log_router,
    staff_of_transfers,
    staff_of_support,
    namespace="api",
)

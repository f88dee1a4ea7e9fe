from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.context import (
    RequestContext,
    client_ip,
    comes_from_trusted_proxy,
    new_request_id,
    request_context,
)


class RequestContextMiddleware:
    """Stamps the request: its id goes into audit entries, log lines and the answer's X-Request-ID."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_X_FORWARDED_PROTO" in request.META and not comes_from_trusted_proxy(request):
            # Whoever is not our proxy must not make plain HTTP look like HTTPS (SECURE_PROXY_SSL_HEADER).
            del request.META["HTTP_X_FORWARDED_PROTO"]
        context = RequestContext(ip=client_ip(request), request_id=new_request_id())
        with request_context(context):
            response = self.get_response(request)
        response["X-Request-ID"] = context.request_id
        return response

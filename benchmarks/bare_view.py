"""Django views with nothing around them, for `api.py` to compare with: no middleware, no sign-in, little JSON.

One reads nothing; the other runs the hand-written SQL of a payment (`hand_sql.py`) on the database that DATABASE_URL
names.
"""

import json
import os
from functools import cache
from logging import Formatter

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from hand_sql import HandSql, Payment, Request, over

# The web server's configuration writes its own lines in the bank's format.
_LOGGING = {"formatters": {"bank": {"()": Formatter}}}
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[], LOGGING_CONFIG=None, LOGGING=_LOGGING
)


@cache
def way() -> HandSql:
    return over(os.environ["DATABASE_URL"])


def bare(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"items": []})


def pay(request: HttpRequest) -> JsonResponse:
    asked = json.loads(request.body)
    came = Request(ip=request.META["REMOTE_ADDR"], request_id=asked["key"])
    order = way().pay(Payment(**asked["payment"]), request=came)
    return JsonResponse({"id": order, "amount": asked["payment"]["amount"]}, status=201)


urlpatterns = [path("bare", bare), path("pay", pay)]
application = get_wsgi_application()

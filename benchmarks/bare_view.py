"""A Django view with nothing around it, for `api.py` to compare with: no middleware, no database, little JSON."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[], LOGGING_CONFIG=None)


def bare(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"items": []})


urlpatterns = [path("bare", bare)]
application = get_wsgi_application()

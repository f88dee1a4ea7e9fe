"""The bank with one more address, whose answer waits for the database longer than any request may take."""

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from bankproject.wsgi import application
from foundation.transactions import own_transaction

__all__ = ["application"]


@own_transaction
def _wait() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(600)")


def wait(request: HttpRequest) -> HttpResponse:
    _wait()
    return HttpResponse()


wait.login_required = False  # type: ignore[attr-defined]  # read by Django's middleware
urlpatterns = [path("api/wait", wait), path("wait/", wait)]
handler500 = "bankproject.errors.server_error"
settings.ROOT_URLCONF = __name__

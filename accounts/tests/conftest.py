from collections.abc import Iterator
from typing import Any

import pytest

from tests.mail_server import PostBox, open_post_box


@pytest.fixture
def post_box() -> Iterator[PostBox]:
    with open_post_box() as box:
        yield box


def deliver_to(settings: Any, port: int) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.POST_OFFICE = settings.POST_OFFICE | {
        "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"}
    }

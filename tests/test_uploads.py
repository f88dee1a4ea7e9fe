"""No page takes files: strangers could fill the disk with them before anybody asks who they are (ASVS V5.2.1)."""

from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.test import Client, RequestFactory

from tests.asvs import proves

pytestmark = pytest.mark.django_db


def upload(length: int) -> dict[str, Any]:
    file = BytesIO(b"x" * length)
    file.name = "holiday.jpg"
    return {"email": "alice@example.com", "file": file}


@pytest.fixture
def no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a file on the disk")

    monkeypatch.setattr(TemporaryUploadedFile, "__init__", refuse)


@proves("V5.2.1")
@pytest.mark.parametrize("length", [10, 200_000, 3_000_000, 30_000_000])
def test_a_file_of_a_stranger_is_refused_and_nothing_lands_on_the_disk(no_file: None, length: int) -> None:
    """B5: 300 MB, signed out, were on the disk before the 403."""
    assert settings.FILE_UPLOAD_HANDLERS == []
    answer = Client(enforce_csrf_checks=True).post("/sign-in/", upload(length))
    assert answer.status_code == (403 if length < settings.DATA_UPLOAD_MAX_MEMORY_SIZE else 413)


@proves("V5.2.1")
def test_what_comes_beside_a_form_is_dropped(no_file: None) -> None:
    request = RequestFactory().post("/sign-in/", upload(3_000_000))
    assert request.POST["email"] == "alice@example.com"
    assert list(request.FILES) == []

"""Which files the bank serves from the folder of its static files (ASVS V13.4.7)."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.http import Http404
from django.test import Client

from bankproject.static_files import ServedFiles
from tests.asvs import proves

# Where pages get something from: no map of sources, no list of all files, no notes of libraries.
SERVED = {".css", ".js", ".png", ".svg"}


@proves("V13.4.7")
def test_of_a_folder_as_a_server_has_it_only_what_pages_use_is_served(tmp_path: Path, rf: Any, settings: Any) -> None:
    names = {
        *("css/a.css", "js/a.js", "img/a.svg", "img/a.png"),
        *(
            "js/a.js.map",
            "staticfiles.json",
            "LICENSE",
            "README.md",
            "notes.txt",
            "a.py",
            ".env",
            "a.sqlite3",
            "a.html",
        ),
    }
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    settings.STATIC_ROOT = tmp_path
    for refreshing in (True, False):
        settings.WHITENOISE_AUTOREFRESH, settings.WHITENOISE_USE_FINDERS = refreshing, False
        files = ServedFiles(_nothing)
        found = set()
        for name in names:
            try:
                files(rf.get(f"/static/{name}"))
            except Http404:
                continue
            found.add(name)
        assert found == {"css/a.css", "js/a.js", "img/a.svg", "img/a.png"}, f"autorefresh={refreshing}"


def _nothing(request: Any) -> Any:
    raise Http404


@proves("V13.4.7")
@pytest.mark.django_db
def test_a_file_of_another_kind_that_a_library_brings_is_not_found(client: Client) -> None:
    for name in ("bootstrap/css/bootstrap.min.css.map", "admin/img/LICENSE", "admin/img/README.txt"):
        assert finders.find(name), f"{name} is gone: name another one"
        assert client.get(f"/static/{name}").status_code == 404, name


def test_every_kind_that_is_served_is_used() -> None:
    assert SERVED == ServedFiles.KINDS

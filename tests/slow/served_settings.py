"""The bank's settings where nobody has collected the static files: pages name them as they are."""

from bankproject import settings as _bank
from bankproject.settings import *  # noqa: F403 - all of the bank's, and one of them changed

STORAGES = _bank.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}

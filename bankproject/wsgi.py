"""WSGI entry point: gunicorn serves `bankproject.wsgi:application` with sync workers."""

import os

from django.core.wsgi import get_wsgi_application

from bankproject import starting

starting.keep_files_private()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bankproject.settings")
application = get_wsgi_application()

from django.db.backends.signals import connection_created  # noqa: E402 - the settings are read from here on

from bankproject import databases  # noqa: E402 - it imports Django's drivers
from foundation import currency_record  # noqa: E402 - models can be imported from here on
from foundation.keys import records as key_records  # noqa: E402 - it imports models

connection_created.connect(databases.wait_at_most)
key_records.begin()
currency_record.begin()

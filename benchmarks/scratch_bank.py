"""A bank of a benchmark's own, on a SQLite file in a folder that is thrown away."""

import base64
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def set_up(folder: str, *, database_url: str = "", email_url: str = "dummymail://") -> None:
    """A bank with settings, keys and a database of its own, or the one that is named; nothing else outside `folder` is
    touched."""
    key = lambda: "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()  # noqa: E731
    os.environ.update(
        DJANGO_SETTINGS_MODULE="bankproject.settings",
        ENV_FILE=os.devnull,
        DEBUG="0",
        DEMO="0",
        SECRET_KEY=secrets.token_urlsafe(48),
        FIELD_KEYS=key(),
        LOOKUP_KEYS=key(),
        AUDIT_KEYS=key(),
        TOKEN_KEYS=key(),
        DATABASE_URL=database_url or f"sqlite:///{folder}/bank.sqlite3",
        EMAIL_URL=email_url,
        LOG_LEVEL="ERROR",
        TRANSFERS_PER_MINUTE="100000000",
        DAILY_TRANSFER_LIMIT="100000000",
        STEP_UP_AMOUNT="100000000",
    )
    sys.path.insert(0, str(ROOT))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)

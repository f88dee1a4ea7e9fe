"""The bank's settings for an operator who migrates it while it serves (docs/operations.md, "Upgrade").

manage.py migrate later --settings=tests.faults.later.settings
"""

from bankproject import settings as _bank
from bankproject.settings import *  # noqa: F403 - all of the bank's, and one app more

# How long a migration waits in a queue for a lock: later requests wait behind it.
LOCK_SECONDS = 3

INSTALLED_APPS = [*_bank.INSTALLED_APPS, "tests.faults.later"]
if _bank.DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    _bank.DATABASES["default"]["OPTIONS"]["options"] = f"-c lock_timeout={LOCK_SECONDS}s"

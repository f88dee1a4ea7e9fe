"""The settings of the web server, which deploy/gunicorn.conf.py takes from the environment."""

from bankproject.environment import BankEnv, Setting


def read_settings() -> dict[str, Setting]:
    """Read them, and return their rows of the table.

    Raises:
        ImproperlyConfigured: one of them is wrong.
    """
    env = BankEnv()
    env.listening("WEB_BIND", default="127.0.0.1:8000")
    env.positive("WEB_CONCURRENCY", 2, most=1000)
    env.readable_file("WEB_CERTIFICATE")
    env.readable_file("WEB_CERTIFICATE_KEY")
    return env.table

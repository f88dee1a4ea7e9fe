"""The settings of the web server, which deploy/gunicorn.conf.py takes from the environment."""

import ssl

from django.core.exceptions import ImproperlyConfigured

from bankproject.environment import BankEnv, Setting


def read_settings() -> dict[str, Setting]:
    """Read them, and return their rows of the table.

    Raises:
        ImproperlyConfigured: one of them is wrong.
    """
    env = BankEnv()
    env.listening("WEB_BIND", default="127.0.0.1:8000")
    env.positive("WEB_CONCURRENCY", 2, most=1000)
    certificate = env.readable_file("WEB_CERTIFICATE")
    _try_certificate(certificate, env.readable_file("WEB_CERTIFICATE_KEY"))
    return env.table


def _try_certificate(certificate: str, key: str) -> None:
    """Load both as a worker would; with a wrong one the server starts, and nobody can connect."""
    if key and not certificate:
        raise ImproperlyConfigured("WEB_CERTIFICATE_KEY needs WEB_CERTIFICATE; set both or none.")
    if not certificate:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key with a password would ask for it on the terminal.
        context.load_cert_chain(certificate, key or None, password=lambda: "")
    except OSError:
        told = "WEB_CERTIFICATE and WEB_CERTIFICATE_KEY must be a certificate and its key in PEM, without a password."
        raise ImproperlyConfigured(told) from None

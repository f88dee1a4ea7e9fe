"""Handshakes of every kind with a server: which protocol, suite and extension it takes."""

import socket
import ssl
import subprocess
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

# Everything that this OpenSSL can still speak, however weak.
WEAKEST = "@SECLEVEL=0"
OLD = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


@cache
def suites_up_to_tls_1_2() -> tuple[str, ...]:
    """Return every suite that OpenSSL knows, anonymous ones and those without encryption too."""
    listed = subprocess.run(
        ["openssl", "ciphers", "-tls1_2", f"ALL:COMPLEMENTOFALL:{WEAKEST}"], capture_output=True, text=True, check=True
    ).stdout
    return tuple(name for name in listed.strip().split(":") if not name.startswith("TLS_"))


def openssl(*words: str | Path) -> None:
    """Run a command of openssl.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def make_pair(folder: Path, kind: str) -> dict[str, str]:
    """Make a certificate for localhost, of a kind of key that openssl knows, and return the firewall's settings."""
    key, certificate = folder / f"{kind}-key.pem", folder / f"{kind}.pem"
    new = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    openssl("req", "-x509", *new, "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate)
    return {"FIREWALL_CERTIFICATE": str(certificate), "FIREWALL_CERTIFICATE_KEY": str(key)}


def client(version: str, suites: str = "ALL", *, alpn: Sequence[str] = ()) -> ssl.SSLContext:
    """Return a client that speaks one version and these suites, and trusts anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it warns of old versions, which are what is tried
        context.minimum_version = context.maximum_version = OLD[version]
    if version != "TLSv1.3":
        context.set_ciphers(f"{suites}:{WEAKEST}")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def shake_hands(port: int, context: ssl.SSLContext) -> ssl.SSLSocket | None:
    """Return the connection, still to be closed; None if the server refuses it."""
    try:
        plain = socket.create_connection(("localhost", port), timeout=20)
        return context.wrap_socket(plain, server_hostname="localhost")
    except (ssl.SSLError, ConnectionResetError):
        return None


def takes(port: int, context: ssl.SSLContext) -> bool:
    connection = shake_hands(port, context)
    if connection is None:
        return False
    connection.close()
    return True


def suite_chosen(port: int, context: ssl.SSLContext) -> str:
    """Return the suite that the server chooses of those offered."""
    with shake_hands(port, context) as connection:  # type: ignore[union-attr]  # the test fails where it is refused
        chosen = connection.cipher()
    assert chosen
    return chosen[0]

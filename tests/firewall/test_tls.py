"""What HTTPS the firewall speaks: versions, suites, HTTP/2, stapling (R8.2, ASVS V12.1)."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asvs import proves
from tests.firewall.conftest import readable_folder, running, spare_port
from tests.firewall.tls import client, make_pair, openssl, shake_hands, suite_chosen, suites_up_to_tls_1_2, takes
from tests.firewall.visitor import Firewall
from tests.waiting import wait_until

KINDS = {"ec": "ECDSA", "rsa": "RSA"}


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Firewall]]:
    """A firewall of its own for a key of each kind, with nothing behind it."""
    folder = readable_folder(tmp_path_factory)
    pair = make_pair(folder, request.param)
    with running(folder, f"127.0.0.1:{spare_port()}", **pair) as firewall:
        yield KINDS[request.param], firewall


@proves("V12.1.1")
def test_it_speaks_tls_1_2_and_1_3_alone(served: tuple[str, Firewall]) -> None:
    _, firewall = served
    spoken = [name for name in ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3") if takes(firewall.port, client(name))]
    assert spoken == ["TLSv1.2", "TLSv1.3"]


@proves("V12.1.2")
def test_of_all_suites_it_takes_those_with_forward_secrecy_and_authenticated_encryption(
    served: tuple[str, Firewall],
) -> None:
    kind, firewall = served
    tried = suites_up_to_tls_1_2()
    weak = {"AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384", f"ECDHE-{kind}-AES256-SHA", "NULL-SHA256"}
    assert weak <= set(tried), "the machine cannot try what must be refused"
    taken = {name for name in tried if takes(firewall.port, client("TLSv1.2", name))}
    assert taken == {
        f"ECDHE-{kind}-AES256-GCM-SHA384",
        f"ECDHE-{kind}-CHACHA20-POLY1305",
        f"ECDHE-{kind}-AES128-GCM-SHA256",
    }


@proves("V12.1.2")
def test_the_strongest_is_chosen_whatever_the_client_likes_best(served: tuple[str, Firewall]) -> None:
    kind, firewall = served
    wish = f"ECDHE-{kind}-AES128-GCM-SHA256:ECDHE-{kind}-CHACHA20-POLY1305:ECDHE-{kind}-AES256-GCM-SHA384"
    assert suite_chosen(firewall.port, client("TLSv1.2", wish)) == f"ECDHE-{kind}-AES256-GCM-SHA384"
    assert suite_chosen(firewall.port, client("TLSv1.3")) == "TLS_AES_256_GCM_SHA384"


def test_no_ticket_could_open_former_sessions(served: tuple[str, Firewall]) -> None:
    _, firewall = served
    told = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{firewall.port}", "-tls1_2"],
        input="", capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    assert "Cipher    : ECDHE" in told
    assert "TLS session ticket" not in told


def test_browsers_are_answered_by_http_2(served: tuple[str, Firewall]) -> None:
    _, firewall = served
    connection = shake_hands(firewall.port, client("TLSv1.3", alpn=["h2", "http/1.1"]))
    assert connection
    with connection:
        assert connection.selected_alpn_protocol() == "h2"
    asked = ["curl", "--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_version} %{http_code}"]
    for choice, told in (("--http2", "2 502"), ("--http1.1", "1.1 502")):
        answer = subprocess.run(
            [*asked, choice, f"https://localhost:{firewall.port}/"], capture_output=True, text=True, check=True
        )
        assert answer.stdout == told
    other = subprocess.run(
        [*asked, "--http2", "--header", "Host: evil.example", f"https://localhost:{firewall.port}/"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert other.stdout == "2 421"


@proves("V12.1.4")
def test_a_certificate_with_an_address_for_it_is_stapled(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, responder = readable_folder(tmp_path_factory), spare_port()
    pair = _issued(folder, f"http://127.0.0.1:{responder}")
    answering = subprocess.Popen(
        [
            *("openssl", "ocsp", "-port", str(responder), "-index", "index.txt"),
            *("-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca-key.pem"),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with running(folder, f"127.0.0.1:{spare_port()}", **pair) as firewall:
            # nginx asks the responder after the first handshake, and staples the answer to later ones.
            wait_until(lambda: "OCSP Response Status: successful" in _status(firewall), "a staple", seconds=20)
    finally:
        answering.terminate()
        answering.wait(timeout=20)


def test_one_without_such_an_address_is_served_too(served: tuple[str, Firewall]) -> None:
    _, firewall = served
    assert "OCSP response: no response sent" in _status(firewall)
    assert "ssl_stapling" not in (firewall.folder / "here" / "http.conf").read_text(encoding="utf-8")


def _status(firewall: Firewall) -> str:
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{firewall.port}", "-status"],
        input="", capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip


def _issued(folder: Path, responder: str) -> dict[str, str]:
    """Make an authority, and a certificate of its for localhost that names the responder; return the firewall's
    settings."""
    make_pair(folder, "ec")
    (folder / "ec.pem").rename(folder / "ca.pem")
    (folder / "ec-key.pem").rename(folder / "ca-key.pem")
    key, request, certificate = folder / "key.pem", folder / "request.pem", folder / "chain.pem"
    (folder / "extensions").write_text(
        f"authorityInfoAccess=OCSP;URI:{responder}\nsubjectAltName=DNS:localhost\n", encoding="utf-8"
    )
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-new", *kind, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    authority = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca-key.pem", "-set_serial", "4096")
    extensions = ("-extfile", folder / "extensions")
    openssl("x509", "-req", "-in", request, *authority, "-days", "1", *extensions, "-out", certificate)
    certificate.write_text(certificate.read_text() + (folder / "ca.pem").read_text())
    # What openssl's responder knows: valid, until when, serial 0x1000, for whom.
    (folder / "index.txt").write_text("V\t491231235959Z\t\t1000\tunknown\t/CN=localhost\n", encoding="utf-8")
    return {"FIREWALL_CERTIFICATE": str(certificate), "FIREWALL_CERTIFICATE_KEY": str(key)}

"""The self-signed certificate: made once, for the requested names, with a key that nobody else can read."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.asvs import proves
from tests.firewall.conftest import SERVE

MAKE = SERVE.parent / "make_certificate"


def make_certificate(folder: Path, names: str) -> bytes:
    subprocess.run([MAKE, folder, names], check=True)
    return (folder / "certificate.pem").read_bytes()


def told(folder: Path, *options: str) -> str:
    command = ["openssl", "x509", "-in", str(folder / "certificate.pem"), "-noout", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_is_for_the_names_and_addresses_and_signs_no_other(tmp_path: Path) -> None:
    make_certificate(tmp_path / "new", "localhost,127.0.0.1,[::1],bank.test")
    text = told(tmp_path / "new", "-ext", "subjectAltName,basicConstraints,extendedKeyUsage")
    for name in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1", "DNS:bank.test"):
        assert name in text
    assert "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text
    assert (tmp_path / "new" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_second_start_keeps_it_and_other_names_or_a_broken_pair_make_it_again(tmp_path: Path) -> None:
    first = make_certificate(tmp_path, "localhost")
    assert make_certificate(tmp_path, "localhost") == first
    second = make_certificate(tmp_path, "localhost,bank.test")
    assert second != first
    # Like a run that is killed between the two files.
    (tmp_path / "names").unlink()
    assert make_certificate(tmp_path, "localhost,bank.test") != second


def test_one_that_ends_within_a_month_is_made_again(tmp_path: Path) -> None:
    make_certificate(tmp_path, "localhost")
    subprocess.run(
        [*["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "20", "-subj", "/CN=localhost"],
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    old = (tmp_path / "certificate.pem").read_bytes()
    assert make_certificate(tmp_path, "localhost") != old


def test_without_openssl_it_says_so(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "cat", "tr", "rm"):
        (programs / name).symlink_to(f"/bin/{name}")
    done = subprocess.run(
        [MAKE, tmp_path / "new", "localhost"], env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "is openssl installed" in done.stderr) == (1, True)


LOCAL = "localhost,LOCALHOST,bank.localhost,127.0.0.1,127.8.9.10,[::1],bank.test,demo.bank.example,192.0.2.7"
PUBLIC = (
    "bank.example", "127.evil.example", "localhost.example", "test.example", "10.0.0.1", "[2001:db8::1]", "nas",
    "www.demo.bank.example", ".bank.example",
)  # fmt: skip


@proves("V12.2.2")
def test_browsers_are_asked_to_trust_none_of_a_name_that_the_world_knows(tmp_path: Path) -> None:
    asked = os.environ | {"DEMO_HOSTS": "Demo.bank.example, 192.0.2.7"}
    subprocess.run([MAKE, tmp_path / "local", LOCAL], check=True, env=asked)
    for name in PUBLIC:
        folder = tmp_path / "public"
        done = subprocess.run([MAKE, folder, f"localhost,{name}"], env=asked, capture_output=True, text=True)
        assert (done.returncode, folder.exists()) == (1, False), name
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"No self-signed certificate for {name}:")


@proves("V12.2.2", "V12.2.1")
@pytest.mark.parametrize("certificate", ["", "self-signed"])
def test_the_firewall_serves_no_such_name_without_a_certificate_given(certificate: str, tmp_path: Path) -> None:
    environment = os.environ | {"FIREWALL_FOLDER": str(tmp_path / "new"), "FIREWALL_CERTIFICATE": certificate}
    for name in PUBLIC:
        ended = subprocess.run(
            [SERVE],
            env=environment | {"FIREWALL_NAMES": f"localhost,{name}"},
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert (ended.returncode, ended.stderr.splitlines()) == (
            1,
            [
                f"firewall: {name} needs a certificate that browsers trust: set FIREWALL_CERTIFICATE and "
                "FIREWALL_CERTIFICATE_KEY, or for a demo name it in DEMO_HOSTS"
            ],
        )
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("names", ["*.bank.example", "a/b"])
def test_no_name_can_add_to_its_extensions(names: str, tmp_path: Path) -> None:
    """`serve` lets no such name through; a comma in one would be another name."""
    environment = os.environ | {"FIREWALL_FOLDER": str(tmp_path / "new"), "FIREWALL_CERTIFICATE": "self-signed"}
    ended = subprocess.run(
        [SERVE], env=environment | {"FIREWALL_NAMES": names}, capture_output=True, text=True, check=False, timeout=20
    )
    assert ended.returncode == 1
    assert "FIREWALL_NAMES is not usable" in ended.stderr

"""The services of docker-compose.yml on this machine, as one bank: a transfer goes through all of them (R9.3)."""

import re
import ssl
from functools import partial
from pathlib import Path

import pytest
import redis
from django_otp.oath import TOTP

from tests.asvs import proves
from tests.firewall.visitor import Visitor
from tests.plugin import PASSWORD
from tests.stack.conftest import BANK_USER, CACHE_USER, FIREWALL_USER, QUIT, TERM, Stack, wait_for
from tests.stack.container import Container, can_confine


def code(person: dict[str, str], steps: int = 0) -> str:
    """Return the code in their authenticator app, now or in this many half minutes."""
    return f"{TOTP(bytes.fromhex(person['totp']), drift=steps).token():06d}"


@proves("V13.2.2")
def test_a_transfer_goes_through_firewall_web_cache_and_mail(stack: Stack) -> None:
    """Shows 4."""
    running = stack.up("web", "firewall", "worker")
    people = stack.people()
    browser = browser_for(stack)

    sign_in(browser, people["alice"])
    receipt = send_money(browser, people["alice"], people["bob"]["number"], "12.50")
    assert "12.50" in receipt
    for person in ("alice", "bob"):
        wait_for(partial(has_mail_about, stack, people[person], "12.50"))
    assert_counted_in_the_cache(stack)

    stack.manage("verify_ledger")
    stack.manage("seal_audit_log")
    stack.manage("verify_audit_log")
    assert_without_powers(running, stack)
    for name, number, seconds in (("firewall", QUIT, 30), ("web", TERM, 30), ("worker", TERM, 60), ("cache", TERM, 10)):
        assert running[name].stop(number, within=seconds) == 0, name


def has_mail_about(stack: Stack, person: dict[str, str], amount: str) -> bool:
    return any(amount in str(mail["Subject"]) for mail in stack.post_box.to(person["email"]))


def browser_for(stack: Stack) -> Visitor:
    """Return a browser that trusts only the certificate which the firewall made at its first start."""
    certificate = stack.folder / "firewall" / "certificate" / "certificate.pem"
    return Visitor(stack.ports["firewall"], [], tls=ssl.create_default_context(cafile=str(certificate)))


def sign_in(browser: Visitor, person: dict[str, str]) -> None:
    browser.read_token(browser.get("/sign-in/"))
    origin = {"Origin": f"https://localhost:{browser.port}", "Referer": f"https://localhost:{browser.port}/sign-in/"}
    assert browser.post("/sign-in/", {"email": person["email"], "password": PASSWORD}, **origin).status == 302
    browser.read_token(browser.get("/sign-in/code/"))
    assert browser.post("/sign-in/code/", {"code": code(person)}, **origin).status == 302
    # Only over HTTPS, only of this host (R8.2).
    assert {"__Host-bank-session", "__Host-bank-csrf"} <= browser.cookies.keys()


def send_money(browser: Visitor, payer: dict[str, str], number: str, amount: str) -> str:
    """Send by the form and its review, with a code, since it is a first payment; return the receipt."""
    origin = {"Origin": f"https://localhost:{browser.port}", "Referer": f"https://localhost:{browser.port}/"}
    browser.read_token(browser.get("/transfer/send/"))
    form = {"source": payer["account"], "number": number, "name": "Bob Example", "amount": amount}
    form["description"] = "Rent & café – May"
    answer = browser.post("/transfer/send/", form, **origin)
    assert answer.status == 302, answer.text
    review = answer.headers["Location"]
    page = browser.get(review)
    browser.read_token(page)
    challenge = re.search(r'name="challenge" value="([0-9a-f-]{36})"', page.text)
    assert challenge, "the first payment to somebody needs a code"
    answer = browser.post(review, {"challenge": challenge[1], "code": code(payer, steps=1)}, **origin)
    assert answer.status == 302, answer.text
    return browser.get(answer.headers["Location"]).text


def assert_counted_in_the_cache(stack: Stack) -> None:
    """Check that the limits of the sign-in and of the transfer are there, and cannot be read without the password."""
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=stack.ports["cache"]).ping()
    assert redis.Redis(port=stack.ports["cache"], password=stack.environment["CACHE_PASSWORD"]).dbsize()


def assert_without_powers(running: dict[str, Container], stack: Stack) -> None:
    """Check that each process is an unprivileged user, has none of root's powers, and cannot write where the code
    is."""
    if not can_confine():
        return
    for name, user in (("web", BANK_USER), ("worker", BANK_USER), ("firewall", FIREWALL_USER), ("cache", CACHE_USER)):
        process = running[name].process
        assert process
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        assert re.search(rf"^Uid:\t{user}\t{user}\t{user}\t{user}$", status, re.MULTILINE), name
        assert len(re.findall(r"^Cap(?:Prm|Eff|Bnd|Inh|Amb):\t0+$", status, re.MULTILINE)) == 5, name
        assert "NoNewPrivs:\t1" in status, name
    for path in ("/bank/x", "/opt/venv/x", "/x", "/etc/x"):
        assert "Read-only" in stack.bank().run("touch", path).stdout


@proves("V13.4.5")
def test_what_watches_the_bank_is_answered_inside_only(stack: Stack) -> None:
    stack.environment["METRICS_TOKEN"] = "a token for whoever watches the bank"
    running = stack.up("web", "firewall")
    outside = browser_for(stack)
    inside = Visitor(stack.ports["web"], [])
    assert (outside.get("/healthz").status, outside.get("/healthz").text.strip()) == (200, "ok")
    assert inside.get("/readyz").status == 200
    for path in ("/metrics", "/readyz", "/metrics/", "//metrics", "/%6detrics", "/x/../readyz", "/readyz?x=1"):
        assert outside.get(path).status == 403, path
    # The same by another name or by plain HTTP.
    assert outside.ask("GET", "/healthz", headers={"Host": "bank.example"}).status == 421
    assert Visitor(stack.ports["firewall"], []).get("/healthz").status == 403
    running["cache"].stop()
    assert (inside.get("/healthz").status, inside.get("/readyz").status) == (200, 503)
    assert stack.bank().run(*stack.check_of("Dockerfile")).returncode == 0, "to start anew would not help"

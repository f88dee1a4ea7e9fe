"""Every page, for everybody: with something of Alice's in each field, about things of nobody's, and with methods that
no page has (R1.7, R8.2)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.access.doors import Door, undone, walk_through
from tests.access.pages import answers_of, door, every_page, is_about, path_of
from tests.access.visitors import ANYBODY, INSIDE, OUTSIDE, Visitor, Walkers
from tests.access.world import World
from tests.access_walk import made_up, text_of
from tests.asvs import proves

pytestmark = pytest.mark.django_db

METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
# A flag on top of a role shows on other doors.
WALKING = [*OUTSIDE, *(visitor for visitor in INSIDE if not (visitor.is_superuser and visitor.role))]
# Alice's own answers depend on what she sends: `test_money_pages` and others.
OTHERS = [visitor for visitor in WALKING if not visitor.is_alice]


def doors_to_force(visitor: Visitor, world: World) -> Iterator[Door]:
    """Yield pages about Alice's things with all fields; about nobody's things with all fields, and with none."""
    hers = world.hers
    for page in every_page():
        for method in ("get", "post"):
            yield door(page, path_of(page, hers), method, hers.fields, visitor, hers)
            if page.arguments:
                for fields in ({}, hers.fields):
                    yield door(page, page.path(made_up()), method, fields, visitor, hers)


@proves("V8.2.2")
@pytest.mark.parametrize("part", range(2))
def test_nothing_of_alices_is_seen_or_changed_by_any_data(
    part: int, world: World, walkers: Walkers, subtests: Any
) -> None:
    for visitor in OTHERS[part::2]:
        with undone(), subtests.test(str(visitor)):
            wrong = walk_through(doors_to_force(visitor, world), walkers(visitor), world.alice)
            assert not wrong, "\n".join(wrong)


@proves("V4.1.4", "V13.4.4")
def test_other_methods_change_nothing_and_show_nothing(world: World, walkers: Walkers, subtests: Any) -> None:
    # R8.2: only POST changes state, and HEAD is a GET without a body. Each page is asked with each method, and by each
    # visitor with one of them.
    for number, visitor in enumerate(WALKING):
        with undone(), subtests.test(str(visitor)):
            walker = walkers(visitor)
            wrong = walk_through(doors_by_other_methods(number, visitor, world), walker, world.alice)
            assert not wrong, "\n".join(wrong)


def doors_by_other_methods(number: int, visitor: Visitor, world: World) -> Iterator[Door]:
    for place, page in enumerate(every_page()):
        path = path_of(page, world.hers)
        for method in METHODS if visitor.is_alice else [METHODS[(number + place) % len(METHODS)]]:
            yield _by(method, path, "302 403 404 405")
        if page.name != "sign_out":
            answers = answers_of(page.name, visitor, "get", is_about=is_about(page, world.hers))
            yield _by("HEAD", path, f"{answers} 405")


def _by(method: str, path: str, answers: str) -> Door:
    def ask(walker: Any) -> Any:
        kind = "application/x-www-form-urlencoded"
        return walker.browser.generic(method, path, "amount=1" if method != "HEAD" else "", content_type=kind)

    def look(answer: Any) -> str:
        return "has a body" if method == "HEAD" and text_of(answer) else ""

    return Door(f"{method} {path}", ANYBODY, answers, ask, look, is_to_look=True)

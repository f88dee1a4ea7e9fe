"""A fault of the disk and one of the clock, one of the connections to the database and a failover, each during
payments, and a check of all books after each (docs/reliability.md). Only `make faults` runs the other kinds.
"""

import secrets
from pathlib import Path
from random import Random

import pytest

from tests.faults import jobs, of_databases, of_machine, rounds
from tests.faults.fault import Fault, Site
from tests.faults.report import Figures, table


@pytest.fixture(autouse=True)
def its_own_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round brings its own database."""
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)


@pytest.mark.parametrize(
    ("site", "names"),
    [
        (Site.SQLITE, ("disk full", "clock an hour forward")),
        (Site.POSTGRESQL, ("answer to COMMIT lost",)),
        (Site.PAIR, ("primary killed, standby promoted",)),
    ],
)
def test_what_was_promised_holds_where_machine_and_database_fail(
    place: Path, site: Site, names: tuple[str, ...]
) -> None:
    """R3.4, R3.5, R3.8, R9.3."""
    seed = secrets.token_hex(4)
    figures = Figures(seed)
    try:
        with rounds.begun(site, place, seed=seed, figures=figures) as one:
            for name in names:
                one.strike(fault(name), Random(seed))
                one.check()
            jobs.require_that_one_runs(one.bank)
    finally:
        print(*table(figures), sep="\n")  # noqa: T201 - shown where the test fails


def fault(name: str) -> Fault:
    return next(one for one in (*of_databases.FAULTS, *of_machine.FAULTS) if one.name == name)

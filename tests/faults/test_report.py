"""The results of runs are added up over all of them, and printed."""

from pathlib import Path

from tests.faults.journal import Journal
from tests.faults.report import SEPARATOR, Figures, keep, table


def test_another_amount_counts_as_refused_only_where_it_was() -> None:
    journal, figures = Journal([]), Figures()
    for number, (status, code) in enumerate(
        [(422, "idempotency_conflict"), (0, "TimeoutError"), (503, "database_away")]
    ):
        a_try = {"key": "k", "try": str(number), "at": float(number)}
        journal.take({"do": "ask", "source": 0, "target": 1, "minor": 5, "purpose": "other"} | a_try)
        journal.take({"do": "told", "status": status, "code": code, "shape": "problem", "retry_after": "5"} | a_try)
    figures.take_in(journal)
    assert figures.conflicts == 1


def test_the_figures_of_several_runs_are_kept_in_a_file_and_summed_up(tmp_path: Path) -> None:
    for seed in ("one", "other"):
        figures = Figures(seed=seed, acknowledged=5)
        figures.answers["201 posted"] = 3
        figures.note("a kind", "SQLite")
        runs = keep(figures, tmp_path / "runs.json")
    whole = Figures()
    for run in runs:
        whole.add(run)
    assert (whole.seed, whole.acknowledged) == ("one, other", 10)
    assert whole.answers == {"201 posted": 6}
    assert whole.faults == {f"a kind{SEPARATOR}SQLite": 2}
    assert any("201 posted" in line and line.rstrip().endswith("6") for line in table(whole))

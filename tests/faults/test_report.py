"""What runs have found is added up over all of them, and printed."""

from pathlib import Path

from tests.faults.report import SEPARATOR, Figures, keep, table


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

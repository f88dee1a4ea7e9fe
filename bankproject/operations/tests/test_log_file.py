"""The file that the log may be written to, by any number of processes, and the settings of logging (R9.5)."""

import logging
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bankproject.operations import logs
from bankproject.operations.logs import REQUESTS, JsonFormatter, LineFormatter, SharedRotatingFile
from tests.asvs import proves


@pytest.fixture
def make_file(tmp_path: Path) -> Iterator[Callable[..., SharedRotatingFile]]:
    made: list[SharedRotatingFile] = []

    def make(max_bytes: int = 300, kept: int = 3, name: str = "bank.log") -> SharedRotatingFile:
        handler = SharedRotatingFile(str(tmp_path / name), max_bytes, kept)
        handler.setFormatter(logging.Formatter("%(message)s"))
        made.append(handler)
        return handler

    yield make
    for handler in made:
        handler.close()


def write(handler: SharedRotatingFile, *texts: str) -> None:
    for text in texts:
        handler.emit(logging.LogRecord("bank.test", logging.WARNING, __file__, 1, text, (), None))


def contents(folder: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in sorted(folder.iterdir())}


def test_it_turns_over_by_size_and_keeps_so_many(make_file: Callable, tmp_path: Path) -> None:
    handler = make_file(max_bytes=14, kept=2)
    write(handler, *(f"line {number}" for number in range(7)))  # 7 bytes with the end of the line
    assert contents(tmp_path) == {
        "bank.log": ["line 6"], "bank.log.1": ["line 4", "line 5"], "bank.log.2": ["line 2", "line 3"],
    }  # fmt: skip


@proves("V16.4.2")
def test_it_is_for_its_owner_alone(make_file: Callable, tmp_path: Path) -> None:
    handler = make_file(max_bytes=40)
    write(handler, *["twenty characters and more"] * 3)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_line_longer_than_the_file_is_written_all_the_same(make_file: Callable, tmp_path: Path) -> None:
    handler = make_file(max_bytes=40)
    write(handler, "short", "x" * 500, "short again")
    assert contents(tmp_path) == {"bank.log": ["short again"], "bank.log.1": ["x" * 500], "bank.log.2": ["short"]}


def test_two_that_share_it_follow_one_another(make_file: Callable, tmp_path: Path) -> None:
    one, other = make_file(max_bytes=60), make_file(max_bytes=60)
    for number in range(8):
        write(one if number % 2 else other, f"line {number}, of twenty")
    lines = [line for name, found in reversed(contents(tmp_path).items()) for line in found]
    assert lines == [f"line {number}, of twenty" for number in range(8)]


def test_a_file_that_was_moved_away_is_made_again(make_file: Callable, tmp_path: Path) -> None:
    handler = make_file()
    write(handler, "before")
    (tmp_path / "bank.log").rename(tmp_path / "kept")
    write(handler, "after")
    assert contents(tmp_path) == {"bank.log": ["after"], "kept": ["before"]}


def test_who_waited_for_the_lock_turns_nothing_over_again(
    make_file: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make_file(max_bytes=40), make_file(max_bytes=40)
    write(one, "the first line, quite long")

    def lock(descriptor: int, how: int) -> None:  # while it waits, the other one is faster
        monkeypatch.setattr(logs, "flock", lambda *_: None)
        write(other, "the second line, as long")

    monkeypatch.setattr(logs, "flock", lock)
    write(one, "fourteen bytes")
    assert contents(tmp_path) == {
        "bank.log": ["the second line, as long", "fourteen bytes"], "bank.log.1": ["the first line, quite long"],
    }  # fmt: skip


def test_what_cannot_be_written_is_told_and_stops_nobody(
    make_file: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    handler = make_file()

    def fail(descriptor: int, line: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs.os, "write", fail)
    write(handler, "text")
    assert "No space left on device" in capsys.readouterr().err


def test_a_file_that_cannot_be_opened_is_known_at_the_start() -> None:
    known: list[Any] = vars(logging)["_handlerList"]  # private: what logging closes when the program ends
    before = len(known)
    with pytest.raises(FileNotFoundError):
        SharedRotatingFile("/nowhere/at/all/bank.log", 100, 1)
    assert len(known) == before, "which logging would close at the end"


# --- Settings --------------------------------------------------------------------------------------------------


def config(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "level": "INFO", "form": "line", "file": "", "megabytes": 20, "kept": 10, "tells_requests": True,
    }  # fmt: skip
    return logs.logging_config(**usual | changes)


def test_without_a_file_all_goes_to_standard_error() -> None:
    made = config()
    assert list(made["handlers"]) == ["stderr"]
    assert made["formatters"]["bank"]["()"] is LineFormatter


def test_with_a_file_it_goes_there_besides() -> None:
    made = config(file="/var/log/bank.log", form="json", megabytes=5, kept=3)
    assert made["root"]["handlers"] == made["loggers"]["post_office"]["handlers"] == ["stderr", "file"]
    assert made["formatters"]["bank"]["()"] is JsonFormatter
    assert (made["handlers"]["file"]["max_bytes"], made["handlers"]["file"]["kept"]) == (5 * 1024 * 1024, 3)


def test_the_server_for_development_tells_of_requests_itself() -> None:
    assert config(tells_requests=False)["loggers"][REQUESTS]["level"] == "WARNING"
    assert config()["loggers"][REQUESTS]["level"] == "NOTSET"

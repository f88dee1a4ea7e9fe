"""The operator's list of stolen passwords, searched in the file (R1.2; NIST SP 800-63B-4, 3.1.1.2)."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.sign_in.passwords.breached import check_breach_list, is_listed
from accounts.sign_in.passwords.rules import check_new_password
from tests.acts import register
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

STOLEN = [f"stolen password {number}" for number in range(500)]


def digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def lines_of(passwords: list[str]) -> list[str]:
    return sorted(digest(password) for password in passwords)


@pytest.fixture
def breach_list(tmp_path: Path, settings: Any) -> Any:
    """Write a list, and have the bank use it."""
    path = tmp_path / "pwned.txt"

    def write(text: str) -> Path:
        path.write_bytes(text.encode())
        settings.BREACHED_PASSWORDS_FILE = str(path)
        return path

    return write


FORMATS = {
    "with counts": lambda digests: "".join(f"{one}:{n}\n" for n, one in enumerate(digests, 1)),
    "with counts, as Windows ends lines": lambda digests: "".join(f"{one}:{n}\r\n" for n, one in enumerate(digests, 1)),
    "digests alone": lambda digests: "\n".join(digests),
    "small letters": lambda digests: "".join(f"{one.lower()}\n" for one in digests),
    "counts of very different lengths": lambda digests: "".join(
        f"{one}:{10 ** (n % 20)}\n" for n, one in enumerate(digests)
    ),
}


@in_one_world("name", FORMATS)
@in_one_world("size", [1, 2, 3, 500])
def test_all_that_is_listed_is_found_and_nothing_else(breach_list: Any, name: str, size: int) -> None:
    path = breach_list(FORMATS[name](lines_of(STOLEN[:size])))
    assert [password for password in STOLEN[:size] if not is_listed(password, path)] == []
    assert [number for number in range(500) if is_listed(f"my own {number}", path)] == []
    assert check_breach_list(None) == []


def test_a_spelling_is_looked_up_as_it_is_hashed_and_in_its_usual_form(breach_list: Any) -> None:
    composed, apart = "Amélie et les lampes", "Ame\u0301lie et les lampes"
    path = breach_list(digest(composed))
    assert is_listed(composed, path)
    assert not is_listed(apart, path)
    for listed in (composed, apart):
        breach_list(digest(listed))
        with pytest.raises(ValidationError, match="known from a theft"):
            check_new_password(apart, None)


def test_a_large_file_is_searched_in_a_few_lines_and_not_read(tmp_path: Path, monkeypatch: Any) -> None:
    """Two short reads for each halving: 48 of these nine megabytes, 72 of forty gigabytes."""
    path = tmp_path / "huge.txt"
    first, last = (f"{digest_}:1\n".encode() for digest_ in ("0" * 40, "F" * 40))
    line = f"{digest(PASSWORD)}:77\n".encode()
    with path.open("wb") as file:
        file.write(first * 10 + line * 200_000 + last * 10)
    reads: list[int] = []
    original = Path.open

    class Counting:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> "Counting":
            return self

        def __exit__(self, *args: Any) -> None:
            self.file.close()

        def seek(self, *args: Any) -> int:
            return self.file.seek(*args)

        def tell(self) -> int:
            return self.file.tell()

        def readline(self, size: int) -> bytes:
            reads.append(size)
            return self.file.readline(size)

    monkeypatch.setattr(Path, "open", lambda self, mode: Counting(original(self, mode)))
    assert is_listed(PASSWORD, path)
    assert not is_listed("my own", path)
    assert len(reads) <= 100, "two searches"
    assert max(reads) <= 100


@proves("V6.2.12")
@pytest.mark.django_db
def test_a_stolen_password_is_refused_in_plain_words(breach_list: Any, client: Any) -> None:
    breach_list(FORMATS["with counts"](lines_of([*STOLEN, PASSWORD])))
    answer = register(client)
    assert answer.status_code == 200
    assert "known from a theft" in " ".join(answer.context["form"].errors["password1"])
    answer = register(client, password1="four blue lamps and a heron", password2="four blue lamps and a heron")
    assert answer.status_code == 302


def code_of(password: str) -> str:
    with pytest.raises(ValidationError) as refusal:
        check_new_password(password, User())
    [error] = refusal.value.error_list
    return str(error.code)


@proves("V6.2.12")
@in_one_world("text", ["no digest at all\n" * 50, "\x00" * 5000, "G" * 40 + "\n"])
def test_a_list_that_cannot_be_searched_lets_nobody_set_a_password(
    breach_list: Any, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator asked for the check: a password that was never looked up would stay for years."""
    breach_list(text)
    assert code_of(PASSWORD) == "breach_list_unavailable"
    assert "BREACHED_PASSWORDS_FILE cannot be searched" in caplog.text
    assert PASSWORD not in caplog.text
    [fault] = check_breach_list(None)
    assert fault.id == "accounts.E010"


def test_a_missing_file_is_said_at_the_start_and_at_each_try(settings: Any, tmp_path: Path) -> None:
    settings.BREACHED_PASSWORDS_FILE = str(tmp_path / "gone.txt")
    assert code_of(PASSWORD) == "breach_list_unavailable"
    assert "No such file" in check_breach_list(None)[0].msg
    settings.BREACHED_PASSWORDS_FILE = str(tmp_path)
    assert "directory" in check_breach_list(None)[0].msg


def test_a_file_that_may_not_be_read_is_said(breach_list: Any, monkeypatch: Any) -> None:
    def refuse(*args: Any) -> None:
        raise PermissionError(13, "Permission denied")

    breach_list(digest(PASSWORD))
    monkeypatch.setattr(Path, "open", refuse)  # root, who may run this, reads everything
    assert "Permission denied" in check_breach_list(None)[0].msg
    assert code_of(PASSWORD) == "breach_list_unavailable"


def test_an_unsorted_and_an_empty_list_are_said_at_the_start(breach_list: Any) -> None:
    breach_list("\n".join(digest(password) for password in STOLEN))
    assert "not sorted" in check_breach_list(None)[0].msg
    breach_list("")
    assert "empty" in check_breach_list(None)[0].msg


def test_without_a_list_nothing_is_looked_up(settings: Any) -> None:
    settings.BREACHED_PASSWORDS_FILE = ""
    check_new_password(PASSWORD, User())
    assert check_breach_list(None) == []

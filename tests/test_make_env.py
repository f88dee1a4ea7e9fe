"""`deploy/make_env.py`: the secrets that `make setup` writes once and never again."""

import re
import subprocess
import sys
from pathlib import Path

from tests.asvs import proves

MAKE_ENV = Path(__file__).resolve().parent.parent / "deploy" / "make_env.py"


def make_env(path: Path, *options: str) -> str:
    """Run the program on `path` and return what it printed."""
    done = subprocess.run([sys.executable, MAKE_ENV, *options, path], check=True, capture_output=True, text=True)
    return done.stdout


def values_in(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


@proves("V11.5.1", "V13.3.2")
def test_a_new_file_gets_every_secret_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    printed = make_env(path)
    values = values_in(path)
    assert list(values) == ["SECRET_KEY", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", values.pop("SECRET_KEY"))
    assert all(re.fullmatch(r"k1:[A-Za-z0-9_-]{43}=", ring) for ring in values.values())
    assert len(set(values.values())) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(secret in printed for secret in values_in(path).values())


@proves("V11.5.1")
def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    make_env(path)
    before = path.read_bytes()
    assert make_env(path) == ""
    assert path.read_bytes() == before


def test_what_is_there_stays_and_the_file_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    # An empty key was set on purpose too; a commented one is not a key; the last line has no end.
    path.write_text("export FIELD_KEYS=\n#SECRET_KEY=old\nBANK_NAME=Birch")
    path.chmod(0o644)
    make_env(path)
    text = path.read_text()
    assert text.startswith("export FIELD_KEYS=\n#SECRET_KEY=old\nBANK_NAME=Birch\nSECRET_KEY=")
    assert text.count("FIELD_KEYS=") == 1
    assert {"SECRET_KEY", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS"} <= values_in(path).keys()
    assert path.stat().st_mode & 0o777 == 0o600


def test_new_keys_beside_an_old_database_are_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite3").touch()
    assert "sealed with other keys" in make_env(tmp_path / ".env")


def test_passwords_for_compose_are_asked_for_apart_and_join_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    make_env(path)
    keys = values_in(path)
    printed = make_env(path, "--compose")
    added = {name: value for name, value in values_in(path).items() if name not in keys}
    passwords = ["MSSQL_SA_PASSWORD", "BANK_DB_PASSWORD", "BANK_MIGRATE_PASSWORD", "CACHE_PASSWORD", "MAIL_PASSWORD"]
    assert list(added) == passwords
    # SQL Server's rules for a password, and nothing that an address or a shell would read in another way.
    assert all(re.fullmatch(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{32,128}", word) for word in added.values())
    assert len(set(added.values())) == 5
    assert not any(password in printed for password in added.values())
    assert keys.items() <= values_in(path).items()


def test_a_secret_that_stands_in_a_file_of_its_own_is_not_made_again(tmp_path: Path) -> None:
    """The bank refuses a setting that is there twice, and every `make` target with `setup` made it so."""
    path = tmp_path / ".env"
    path.write_text("SECRET_KEY_FILE=/etc/bank/secret\nexport FIELD_KEYS_FILE=/etc/bank/field\nAUDIT_KEYS_FILE=\n")
    make_env(path)
    made = values_in(path).keys()
    assert {"SECRET_KEY", "FIELD_KEYS"} & made == set()
    assert {"LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS"} <= made

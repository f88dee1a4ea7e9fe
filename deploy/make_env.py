"""Write the secrets that the bank needs and that are still missing into `.env` (R8.7, R9.1).

A key that is there is never changed, not even an empty one: data sealed with a lost key cannot be read
again. The file is readable by its owner only. Nothing secret is printed.

    python deploy/make_env.py [--compose] [FILE]

With `--compose` also the passwords that the services of docker-compose.yml ask one another for.
"""

import base64
import os
import re
import secrets
import sys
from pathlib import Path

KEY_RINGS = ("FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS")
COMPOSE_PASSWORDS = (
    "MSSQL_SA_PASSWORD",
    "BANK_DB_PASSWORD",
    "BANK_MIGRATE_PASSWORD",
    "CACHE_PASSWORD",
    "MAIL_PASSWORD",
)


def new_key_ring() -> str:
    """Return a ring of one 256-bit key, `k1:<base64url>`."""
    return "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def new_password() -> str:
    """Return a password of 256 random bits that needs no escaping in an address, in SQL or in a shell; SQL Server wants
    three kinds of characters in it."""
    return "Aa1" + secrets.token_hex(32)


def names_in(text: str) -> set[str]:
    """Return the variables that a `.env` text sets; commented lines set nothing. A file that NAME_FILE names sets
    NAME: both would be refused."""
    start = r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*"
    in_files = re.findall(rf"{start}?)_FILE=[ \t]*\S", text, re.MULTILINE)
    return {*re.findall(rf"{start})[ \t]*=", text, re.MULTILINE), *in_files}


def write_missing(path: Path, *, compose: bool = False) -> list[str]:
    """Append a fresh value for each secret that `path` lacks and return their names."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    # 48 bytes are 64 URL-safe characters.
    makers = {"SECRET_KEY": lambda: secrets.token_urlsafe(48)} | dict.fromkeys(KEY_RINGS, new_key_ring)
    if compose:
        makers |= dict.fromkeys(COMPOSE_PASSWORDS, new_password)
    missing = [name for name in makers if name not in names_in(text)]
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    # Also when nothing is missing, and before a secret is written: the file may be older and readable by all.
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        if missing and text and not text.endswith("\n"):
            file.write("\n")
        file.writelines(f"{name}={makers[name]()}\n" for name in missing)
    return missing


def main() -> None:
    files = [argument for argument in sys.argv[1:] if argument != "--compose"]
    path = Path(files[0]) if files else Path(__file__).resolve().parent.parent / ".env"
    missing = write_missing(path, compose="--compose" in sys.argv)
    if missing:
        print(f"{path}: made {', '.join(missing)}. Keep it: what they seal cannot be read without them.")
    if "FIELD_KEYS" in missing and path.with_name("db.sqlite3").exists():
        print(f"{path.with_name('db.sqlite3')} was sealed with other keys: bring them back, or remove it.")


if __name__ == "__main__":
    main()

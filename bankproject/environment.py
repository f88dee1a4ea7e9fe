"""How settings are read: each with its type, its bounds and its default, and one line for a wrong value.

The calls in bankproject/settings.py are the table of settings: each is noted in `BankEnv.table`, which
docs/settings.md is generated from and the tests walk. Nothing is read without one of these methods. A refusal names the
setting and says what it takes. It never quotes the value, which may be a password in the wrong place.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import environ
from django.conf.global_settings import LANGUAGES
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import EmailValidator

from bankproject import addresses, hosts
from foundation.currencies import UnknownCurrency, exponent_of
from foundation.keys.rings import BadKeys, parse_ring, parse_signing_key
from foundation.request_context import Network, trusted_networks
from transfers.interest.rates import BadRates, parse_rates

T = TypeVar("T")

_ON = {"1", "true", "yes", "on", "y", "ok"}
_OFF = {"0", "false", "no", "off", "n"}
_MOST = 999_999_999
_MOST_AMOUNT = 10**12
# Two decimals more than most currencies have; no exponents, no commas, no other writing's digits.
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,4})?")
_CONTACT = re.compile(r"(?:mailto:|https://|tel:)[!-~]{3,200}")
_ODBC_WORD = r"[^=;{}]+=\s*(?:\{(?:[^}]|\}\})*\}|[^;{}]*)\s*"
_ODBC_WORDS = re.compile(f"{_ODBC_WORD}(?:;{_ODBC_WORD})*")
_LINE = re.compile(r"(?:export )?[A-Za-z_0-9]+=[^\0]*|#.*|\s*")
_ESCAPES = "in the password write # as %23, / as %2F, ? as %3F and @ as %40"
# Their texts say what is wrong, and quote no secret.
_EXPLAINED = (UnknownCurrency, BadRates, BadKeys)


class _Required:
    """Marks a setting without a default."""


REQUIRED = _Required()


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    name: str
    takes: str  # in a few words, for the document
    must_be: str  # what a wrong value is told after "NAME must be "
    default: Any
    is_secret: bool  # may stand in a file, named by NAME_FILE


class BankEnv:
    """Reads the environment. Every method raises ImproperlyConfigured, one line that begins with the setting's name."""

    def __init__(self) -> None:
        self.table: dict[str, Setting] = {}
        self._set_before = frozenset(os.environ)  # by the shell or service, and not by the file

    # --- Yes, numbers and words -----------------------------------------------------------------------------------

    def on_off(self, name: str, default: bool) -> bool:
        """Read whether something is on. A typo is neither, so that `DEMO=flase` does not become one of them."""
        return self._read(name, default, _truth, "on/off", "on or off: 1, true, yes, on, or 0, false, no, off")

    def within(self, name: str, default: int, *, least: int, most: int) -> int:
        """Read a whole number from `least` to `most`."""
        parse = partial(_whole, least=least, most=most)
        return self._read(name, default, parse, f"{least}–{most}", f"a whole number from {least} to {most}")

    def positive(self, name: str, default: int, *, most: int = _MOST) -> int:
        """Read a whole number from 1 on: 0 would forbid everything or allow everything (R3.9)."""
        if most == _MOST:
            parse = partial(_whole, least=1, most=most)
            return self._read(name, default, parse, "≥1", "a whole number from 1 on, of nine digits at most")
        return self.within(name, default, least=1, most=most)

    def positive_amount(self, name: str, default: Decimal) -> Decimal:
        """Read an amount of money from 1 on, below 10**12."""
        told = "an amount from 1 on, such as 25000 or 2500.50, without commas, below 10 to the 12th"
        return self._read(name, default, _amount, "amount", told)

    def one_of(self, name: str, default: str, *words: str) -> str:
        """Read one of these words."""
        parse = partial(_one_of, words=words)
        return self._read(name, default, parse, ", ".join(f"`{word}`" for word in words), f"one of {', '.join(words)}")

    def line(self, name: str, default: str, *, most: int, least: int = 0) -> str:
        """Read one line of `least` to `most` characters."""
        parse = partial(_line, least=least, most=most)
        return self._read(name, default, parse, "text", f"one line of {least} to {most} characters")

    def savings_rate(self, name: str, default: str) -> str:
        """Read rates, which stay as they are written (`transfers/interest/rates.py`)."""
        return self._read(name, default, _rates, "rate", "a rate, such as 0.015, or rates with their first days")

    # --- Words of the world ------------------------------------------------------------------------------------------

    def currency(self, name: str, default: str) -> str:
        """Read a code of ISO 4217 with a minor unit, such as EUR (R2.7)."""
        return self._read(name, default, _currency, "currency", "a currency's code in ISO 4217, such as EUR")

    def language(self, name: str, default: str) -> str:
        """Read a language that Django has formats for, such as en-gb."""
        return self._read(name, default, _language, "language", "a language's code, such as en-gb or de")

    def time_zone(self, name: str, default: str) -> str:
        """Read a time zone by its IANA name."""
        return self._read(name, default, _time_zone, "time zone", "a time zone's name, such as UTC or Europe/Vienna")

    def sender(self, name: str, default: str) -> str:
        """Read whom mails come from."""
        told = "an e-mail address, or Name <address@host>; a name with a comma in double quotes"
        return self._read(name, default, _sender, "text", told)

    def contact(self, name: str) -> str:
        """Read where people can be reached: an address of mail, web or telephone; "" for none."""
        told = "empty, or an address that begins with mailto:, https:// or tel:, without blanks"
        return self._read(name, "", _contact, "contact", told)

    # --- Hosts and servers ----------------------------------------------------------------------------------------

    def site(self, name: str, default: str) -> str:
        """Read `https://host:port`; a slash at its end is left out."""
        return self._read(name, default, hosts.site, "address", "http:// or https:// with a host, without a path")

    def hosts(self, name: str, default: list[str], what: Callable[[str], T], told: str) -> list[T]:
        """Read a list of hosts, networks or origins, each by its own function in `bankproject/hosts.py`."""
        parse = partial(_list, parse=what, least=min(len(default), 1))
        return self._read(name, default, parse, "list", f"a list, separated by commas, of {told}")

    def networks(self, name: str) -> list[Network]:
        """Read addresses and networks; one with more than its own bits, 127.0.0.1/8, probably has a wrong digit."""
        told = "networks or addresses, separated by commas, such as 10.0.0.0/8 or 10.0.0.7"
        return self._read(name, [], _networks, "list", told)

    def listening(self, name: str, default: str) -> str:
        """Read where a server listens: host:port, or unix:/path."""
        return self._read(name, default, _listening, "address", "host:port, such as 127.0.0.1:8000, or unix:/path")

    def database(self, name: str, default: str) -> tuple[str, dict[str, Any]]:
        """Read the address of a database, and return it with the entry of DATABASES that it makes; {} for ""."""
        told = "postgres://user:password@host:5432/name"  # pragma: allowlist secret
        told += ", or the same with mssql://, or sqlite:////path"
        parse = partial(_database, may_be_empty=not default)
        return self._read(name, default, parse, "address", f"an address: {told}; {_ESCAPES}", is_secret=True)

    def cache(self, name: str, default: str) -> str:
        """Read the address of a Redis or Valkey; "" for none."""
        told = "empty, or begin with redis://, rediss:// or unix://, as in redis://:password@host:6379/0"
        return self._read(name, default, addresses.cache, "address", f"{told}; {_ESCAPES}", is_secret=True)

    def mail(self, name: str, default: str) -> tuple[str, dict[str, Any]]:
        """Read the address of a mail server, and return it with the settings of Django that it makes."""
        told = "an address: smtp+tls://user:password@host:587"  # pragma: allowlist secret
        told += f", or with smtp+ssl:// or smtp://; {_ESCAPES}"
        return self._read(name, default, _mail, "address", told, is_secret=True)

    def odbc_words(self, name: str, default: str) -> str:
        """Read words of a connection string, `Word=value;Word=value`."""
        return self._read(name, default, _odbc_words, "text", "Word=value, separated by semicolons", is_secret=True)

    # --- Secrets (R8.7) -------------------------------------------------------------------------------------------

    def signing_key(self, name: str) -> str:
        """Read a long random text."""
        return self._read(name, REQUIRED, parse_signing_key, "text", "50 random characters or more", is_secret=True)

    def signing_keys(self, name: str) -> list[str]:
        """Read long random texts, separated by commas."""
        parse, told = partial(_list, parse=parse_signing_key), "keys, separated by commas"
        return self._read(name, [], parse, "list", told, is_secret=True)

    def key_ring(self, name: str) -> dict[str, bytes]:
        """Read the keys of one purpose, by their names."""
        told = "id:key, separated by commas, each key 32 random bytes in base64url"
        return self._read(name, REQUIRED, parse_ring, "key ring", told, is_secret=True)

    def optional_secret(self, name: str, *, least: int) -> str:
        """Read a secret of `least` characters or more; "" for none."""
        told = f"empty or have at least {least} characters"
        return self._read(name, "", partial(_secret, least=least), f"≥{least} characters", told, is_secret=True)

    # --- Files ----------------------------------------------------------------------------------------------------

    def readable_file(self, name: str) -> str:
        """Read the path of a file that is there; "" for none."""
        return self._read(name, "", _readable, "path", "empty, or the path of a file that can be read")

    def writable_file(self, name: str) -> str:
        """Read the path of a file that can be made or written; "" for none."""
        return self._read(name, "", _writable, "path", "empty, or the path of a file in a folder that can be written")

    def read_file(self, name: str, default: Path) -> None:
        """Set what stands in a file of lines `NAME=value` and is not set yet; the default file need not exist."""
        self._note(name, default, "path", "the path of a file of lines NAME=value", is_secret=False)
        path = Path(os.environ.get(name, default))
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{name}: {path} must be a text in UTF-8.") from None
        except OSError as error:
            if isinstance(error, FileNotFoundError) and name not in os.environ:
                return
            raise ImproperlyConfigured(f"{name}: {path} can't be read: {error.strerror}.") from None
        for number, line in enumerate(lines, 1):
            if not _LINE.fullmatch(line):  # without its text: it may be a key
                told = "must be NAME=value, without blanks around the name and the ="
                raise ImproperlyConfigured(f"{name}: line {number} of {path} {told}.")
        environ.Env.read_env(str(path))

    # --- Reading --------------------------------------------------------------------------------------------------

    def _read(
        self, name: str, default: Any, parse: Callable[[str], T], takes: str, must_be: str, *, is_secret: bool = False
    ) -> T:
        # Only texts are parsed: a default of another type is a value already.
        self._note(name, default, takes, must_be, is_secret=is_secret)
        text = self._text(name, is_secret=is_secret)
        if text is None and not isinstance(default, str):
            if isinstance(default, _Required):
                raise ImproperlyConfigured(f"{name} is missing; `make setup` writes one into .env.")
            return default
        text = default if text is None else text
        try:
            return parse(text)
        except _EXPLAINED as error:
            raise ImproperlyConfigured(f"{name}: {str(error).rstrip('.')}.") from None
        except ValueError:
            raise self._refusal(name) from None

    def _note(self, name: str, default: Any, takes: str, must_be: str, *, is_secret: bool) -> None:
        self.table[name] = Setting(name, takes, must_be, default, is_secret)

    def _refusal(self, name: str) -> ImproperlyConfigured:
        return ImproperlyConfigured(f"{name} must be {self.table[name].must_be}.")

    def _text(self, name: str, *, is_secret: bool) -> str | None:
        """Return the value, or None. A secret may stand in a file that NAME_FILE names (ASVS V13.3.1)."""
        text = os.environ.get(name)
        path = os.environ.get(f"{name}_FILE", "") if is_secret else ""
        if path and text:
            text, path = self._set_by_the_process(name)
        if not path:
            return text
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise ImproperlyConfigured(f"{name}_FILE must be the path of a text file that can be read.") from None

    def _set_by_the_process(self, name: str) -> tuple[str, str]:
        """Return value and path, one of them "". What the process was started with wins over the file of settings:
        `DATABASE_URL=… manage.py migrate`. The other one goes, since a child could not tell them apart any more."""
        both = [name, f"{name}_FILE"]
        losers = [each for each in both if each not in self._set_before]
        if len(losers) != 1:
            raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one of them.")
        del os.environ[losers[0]]
        return os.environ.get(name, ""), os.environ.get(f"{name}_FILE", "")


# --- What each kind of value is: the value, or ValueError -----------------------------------------------------------


def _truth(text: str) -> bool:
    if text.lower() not in _ON | _OFF:
        raise ValueError
    return text.lower() in _ON


def _whole(text: str, *, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
        raise ValueError
    return int(text)


def _amount(text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text) or not 1 <= Decimal(text) < _MOST_AMOUNT:
        raise ValueError
    return Decimal(text)


def _one_of(text: str, *, words: tuple[str, ...]) -> str:
    if text not in words:
        raise ValueError
    return text


def _line(text: str, *, least: int, most: int) -> str:
    if not least <= len(text) <= most or not text.isprintable() or text != text.strip():
        raise ValueError
    return text


def _rates(text: str) -> str:
    parse_rates(text)
    return text


def _currency(text: str) -> str:
    exponent_of(text)
    return text


def _language(text: str) -> str:
    known = {code for code, _ in LANGUAGES}
    is_known = text.lower() in known or text.partition("-")[0] in known
    if not is_known or not re.fullmatch(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", text):
        raise ValueError
    return text


def _time_zone(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", text):
        raise ValueError
    try:
        ZoneInfo(text)
    except (OSError, KeyError) as error:  # a folder of zones, or not found
        raise ValueError from error
    return text


def _sender(text: str) -> str:
    if not re.fullmatch(r"[^<>]+|[^<>]* ?<[^<>]+>", text):
        raise ValueError
    try:
        EmailValidator()(parseaddr(_line(text, least=3, most=320))[1])
    except ValidationError as error:
        raise ValueError from error
    return text


def _contact(text: str) -> str:
    if text and not _CONTACT.fullmatch(text):
        raise ValueError
    return text


def _list(text: str, *, parse: Callable[[str], T], least: int = 0) -> list[T]:
    found = [parse(part.strip()) for part in text.split(",") if part.strip()]
    if len(found) < least:
        raise ValueError
    return found


def _networks(text: str) -> list[Network]:
    return trusted_networks(filter(None, (part.strip() for part in text.split(","))))


def _listening(text: str) -> str:
    place, _, port = text.rpartition(":")
    if text.startswith("unix:/"):
        return text
    hosts.host(place)
    _whole(port, least=1, most=2**16 - 1)
    return text


def _database(text: str, *, may_be_empty: bool) -> tuple[str, dict[str, Any]]:
    return text, {} if may_be_empty and not text else addresses.database(text)


def _mail(text: str) -> tuple[str, dict[str, Any]]:
    return text, addresses.mail(text)


def _odbc_words(text: str) -> str:
    if text.strip("; ") and not _ODBC_WORDS.fullmatch(text.strip("; ")):
        raise ValueError
    return text


def _secret(text: str, *, least: int) -> str:
    if text and len(text) < least:
        raise ValueError
    return text


def _readable(text: str) -> str:
    if text and not (Path(text).is_file() and os.access(text, os.R_OK)):
        raise ValueError
    return text


def _writable(text: str) -> str:
    path = Path(text)
    place = path if path.exists() else path.parent
    if text and (path.is_dir() or not place.exists() or not os.access(place, os.W_OK)):
        raise ValueError
    return text

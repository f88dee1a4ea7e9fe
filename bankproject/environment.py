"""Reading settings from the environment: django-environ, and the bank's checks on numbers."""

import re
from decimal import Decimal

import environ
from django.core.exceptions import ImproperlyConfigured

from foundation.currencies import UnknownCurrency, exponent_of

_BELOW = 10**12
_CONTACT = re.compile(r"(?:mailto:|https://|tel:)[^\s]{3,200}")


class BankEnv(environ.Env):
    """Numbers that limit something: 0 would forbid everything or allow everything, and a huge one limits nothing
    (R3.9)."""

    def positive(self, name: str, default: int, *, most: int | None = None) -> int:
        """Read a whole number from 1 on, up to `most` where that is given.

        Raises:
            ImproperlyConfigured: below 1, above `most`, or 10**12 or more.
        """
        number: int = self.int(name, default=default)
        _require_positive(name, number)
        if most is not None and number > most:
            raise ImproperlyConfigured(f"{name} must not be above {most}.")
        return number

    def within(self, name: str, default: int, *, least: int, most: int) -> int:
        """Read a whole number from `least` to `most`.

        Raises:
            ImproperlyConfigured: below or above.
        """
        number: int = self.int(name, default=default)
        if not least <= number <= most:
            raise ImproperlyConfigured(f"{name} must be {least} to {most}.")
        return number

    def optional_secret(self, name: str, *, least: int) -> str:
        """Read a secret of `least` characters or more; "" if there is none.

        Raises:
            ImproperlyConfigured: shorter.
        """
        secret: str = self.str(name, default="")
        if secret and len(secret) < least:
            raise ImproperlyConfigured(f"{name} must be empty or have at least {least} characters.")
        return secret

    def positive_amount(self, name: str, default: Decimal) -> Decimal:
        """Read an amount of money from 1 on; decimals are allowed.

        Raises:
            ImproperlyConfigured: below 1, or 10**12 or more.
        """
        amount = Decimal(self.str(name, default=str(default)))
        _require_positive(name, amount)
        return amount

    def currency(self, name: str, default: str) -> str:
        """Read a code of ISO 4217 with a minor unit, such as EUR (R2.7).

        Raises:
            ImproperlyConfigured: another text.
        """
        code: str = self.str(name, default=default)
        try:
            exponent_of(code)
        except UnknownCurrency as error:
            raise ImproperlyConfigured(f"{name}: {error}") from error
        return code

    def contact(self, name: str) -> str:
        """Read where people can be reached: an address of mail, web or telephone, or "".

        Raises:
            ImproperlyConfigured: another text, or one with spaces or lines in it.
        """
        address: str = self.str(name, default="")
        if address and not _CONTACT.fullmatch(address):
            raise ImproperlyConfigured(f"{name} must be empty, or begin with mailto:, https:// or tel:.")
        return address


def _require_positive(name: str, number: int | Decimal) -> None:
    if not 1 <= number < _BELOW:
        raise ImproperlyConfigured(f"{name} must be a number from 1 on.")

"""Reading settings from the environment: django-environ, and the bank's checks on numbers."""

from decimal import Decimal

import environ
from django.core.exceptions import ImproperlyConfigured

from foundation.currencies import UnknownCurrency, exponent_of

_BELOW = 10**12


class BankEnv(environ.Env):
    """Numbers that limit something: 0 would forbid everything or allow everything, and a huge one limits nothing
    (R3.9)."""

    def positive(self, name: str, default: int) -> int:
        """Return a whole number from 1 on.

        Raises:
            ImproperlyConfigured: below 1, or 10**12 or more.
        """
        number: int = self.int(name, default=default)
        _require_positive(name, number)
        return number

    def positive_amount(self, name: str, default: Decimal) -> Decimal:
        """Return an amount of money from 1 on; decimals are allowed.

        Raises:
            ImproperlyConfigured: below 1, or 10**12 or more.
        """
        amount = Decimal(self.str(name, default=str(default)))
        _require_positive(name, amount)
        return amount

    def currency(self, name: str, default: str) -> str:
        """Return a code of ISO 4217 with a minor unit, such as EUR (R2.7).

        Raises:
            ImproperlyConfigured: another text.
        """
        code: str = self.str(name, default=default)
        try:
            exponent_of(code)
        except UnknownCurrency as error:
            raise ImproperlyConfigured(f"{name}: {error}") from error
        return code


def _require_positive(name: str, number: int | Decimal) -> None:
    if not 1 <= number < _BELOW:
        raise ImproperlyConfigured(f"{name} must be a number from 1 on.")

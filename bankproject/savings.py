"""Reading from the environment what savings earn (R9.2)."""

import environ
from django.core.exceptions import ImproperlyConfigured

from transfers.savings_rates import BadRates, parse_rates


def savings_rate(name: str, env: environ.Env, *, default: str) -> str:
    """The text as it is given, which `transfers.savings_rates` can read.

    Raises:
        ImproperlyConfigured: it cannot.
    """
    text: str = env.str(name, default=default)
    try:
        parse_rates(text)
    except BadRates as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error
    return text

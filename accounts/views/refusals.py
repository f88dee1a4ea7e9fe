"""What is wrong with a password or a code, said at its field."""

from collections.abc import Iterator
from contextlib import contextmanager

from django import forms

from accounts.services.passwords import WrongCurrentPassword
from accounts.services.sign_in import TryAgainIn
from accounts.services.two_factor import WrongCode


@contextmanager
def refusals_shown_in(form: forms.Form) -> Iterator[None]:
    try:
        yield
    except WrongCurrentPassword as refusal:
        form.add_error("password", str(refusal))
    except (WrongCode, TryAgainIn) as refusal:
        form.add_error("code", str(refusal))

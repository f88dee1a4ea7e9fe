"""What is wrong with a password or a code, said at its field."""

from collections.abc import Iterator
from contextlib import contextmanager

from django import forms

from accounts.sign_in.passwords.change import WrongCurrentPassword
from accounts.sign_in.signing_in import TryAgainIn
from accounts.sign_in.two_factor import WrongCode


@contextmanager
def refusals_shown_in(form: forms.Form) -> Iterator[None]:
    try:
        yield
    except WrongCurrentPassword as refusal:
        form.add_error("password", str(refusal))
    except (WrongCode, TryAgainIn) as refusal:
        form.add_error("code", str(refusal))

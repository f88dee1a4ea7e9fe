"""What is wrong with a password or a code, said at its field."""

from collections.abc import Iterator
from contextlib import contextmanager

from django import forms

from accounts.services.passwords import WrongCurrentPassword
from accounts.services.sign_in import TryAgainIn
from accounts.services.two_factor import WrongCode
from accounts.views.sign_in import WRONG_CODE


@contextmanager
def refusals_shown_in(form: forms.Form) -> Iterator[None]:
    try:
        yield
    except WrongCurrentPassword:
        form.add_error("password", "This is not your password.")
    except WrongCode:
        form.add_error("code", WRONG_CODE)
    except TryAgainIn as error:
        form.add_error("code", f"A short pause after a wrong code: enter the next one in {error.seconds} s.")

"""Types for schemas of all apps: account numbers, secrets, e-mail addresses."""

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from accounts import account_numbers
from accounts.account_numbers import InvalidAccountNumber
from accounts.sign_in.codes import MAX_CODE_CHARS, InvalidCode, parse_code, parse_totp
from accounts.sign_in.emails import is_plain
from accounts.sign_in.passwords.hashing import MAX_PASSWORD_CHARS
from foundation.rest.schemas import refusing


def _plain_email(text: str) -> str:
    if not is_plain(text):
        raise PydanticCustomError("invalid_email", "Write the address without invisible or special characters.")
    return text


# An account number with its check digits, spaces and dashes allowed; parsed to twelve digits.
AccountNumber = Annotated[
    str,
    refusing(account_numbers.parse_number, InvalidAccountNumber),
    WithJsonSchema({"type": "string", "maxLength": 24, "examples": ["1234 5678 9012"]}),
]


_LEAST_CODE_CHARS = 6


def _code_schema(description: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "maxLength": MAX_CODE_CHARS, "description": description, "examples": ["123456"]}
    )


def _parse_whole_code(text: str) -> str:
    """Read a code as `parse_code()` does; a text too short to be a code is not a guess."""
    code = parse_code(text)
    if len(code) < _LEAST_CODE_CHARS:
        raise InvalidCode("A code has six digits or more.")
    return code


# A code, spaces and dashes allowed as on the pages; parsed to letters and digits.
Code = Annotated[
    str,
    refusing(_parse_whole_code, InvalidCode),
    _code_schema("Six digits of the authenticator app; at sign-in a recovery code too."),
]
TotpCode = Annotated[str, refusing(parse_totp, InvalidCode), _code_schema("Six digits of your authenticator app.")]


PHONE = "5 to 15 digits; after a plus, the country’s code comes first."
Secret = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD_CHARS, json_schema_extra={"format": "password"})]


EmailText = Annotated[
    str,
    Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}),
    AfterValidator(_plain_email),
]

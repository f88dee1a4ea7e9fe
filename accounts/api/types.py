"""What schemas of all apps say of people and accounts: account numbers, secrets, e-mail addresses."""

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from accounts import account_numbers
from accounts.account_numbers import InvalidAccountNumber
from accounts.sign_in.addresses import is_plain
from accounts.sign_in.passwords.hashing import MAX_PASSWORD_CHARS
from foundation.rest.schemas import refusing


def _plain_address(text: str) -> str:
    if not is_plain(text):
        raise PydanticCustomError("invalid_email", "Write the address without invisible or special characters.")
    return text


# An account number with its check digits, spaces and hyphens allowed; parsed to twelve digits.
AccountNumber = Annotated[
    str,
    refusing(account_numbers.parse_number, InvalidAccountNumber),
    WithJsonSchema({"type": "string", "maxLength": 24, "examples": ["1234 5678 9012"]}),
]


Secret = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD_CHARS, json_schema_extra={"format": "password"})]


EmailText = Annotated[
    str,
    Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}),
    AfterValidator(_plain_address),
]

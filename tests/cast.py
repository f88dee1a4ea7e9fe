"""Rows that nearly every test needs for its people. The statements are compiled once for each process."""

from decimal import Decimal
from typing import Any

from accounts.models import TotpDevice, User, UserSession
from foundation.compiled import Insert, Select, Update
from transfers.models import CustomerLimit

_insert_device = Insert(TotpDevice)
_insert_session = Insert(UserSession)
_user_of_device = TotpDevice._meta.get_field("user")
_devices: Select[TotpDevice] = Select(
    lambda user: TotpDevice.objects.filter(user=user, confirmed=True), _user_of_device
)
_customer = CustomerLimit._meta.get_field("user")
_cash_in: Select = Select(lambda user: CustomerLimit.objects.filter(user=user).values_list("cash_in"), _customer)
_set_cash_in = Update(
    lambda user, cash_in: (CustomerLimit.objects.filter(user=user), {"cash_in": cash_in}),
    _customer,
    CustomerLimit._meta.get_field("cash_in"),
)


def add_device(user: User, key: str) -> None:
    """Give a user a confirmed authenticator app; `key` is hex of 20 bytes."""
    _insert_device.save(TotpDevice(user=user, name="phone", confirmed=True, key=key))


def device_of(user: User) -> TotpDevice | None:
    """Return the confirmed authenticator app of a user, if there is one."""
    return next(iter(_devices.instances(user.pk)), None)


def add_session(**values: Any) -> UserSession:
    """Save the row of a signed-in session and return it."""
    row = UserSession(**values)
    _insert_session.save(row)
    return row


def cash_in_of(customer: User) -> Decimal:
    """Return how much cash counts against the customer's daily limit."""
    return next((cash_in for (cash_in,) in _cash_in.tuples(customer.pk)), Decimal(0))


def set_cash_in(customer: User, used: Decimal) -> None:
    """Set how much cash counts against the customer's daily limit."""
    _set_cash_in.execute(customer.pk, used)

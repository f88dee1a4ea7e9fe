"""All kinds of service requests, in the order of the page where customers choose one.

To add one: its name in `support.models.RequestKind`, with a migration; its class in a file here; its line below; its
row in docs/api.md, if programs may ask for it. The service that makes the change takes the `ApprovedRequest` as its
authority, for the verb that is the kind's value.
"""

from support.models import RequestKind, ServiceRequest
from support.requests.kind import KindOfRequest, registered
from support.requests.kinds.close_account import CloseAccount
from support.requests.kinds.freeze_account import FreezeAccount
from support.requests.kinds.raise_daily_limit import RaiseDailyLimit
from support.requests.kinds.reset_pin import ResetPin
from support.requests.kinds.reset_two_factor import ResetTwoFactor
from support.requests.kinds.unfreeze_account import UnfreezeAccount
from support.requests.kinds.update_identity import UpdateIdentity

KINDS = registered(
    FreezeAccount,
    UnfreezeAccount,
    CloseAccount,
    RaiseDailyLimit,
    UpdateIdentity,
    ResetPin,
    ResetTwoFactor,
)
PAGE_KINDS = tuple(kind for kind, rule in KINDS.items() if rule.on_the_page)


def kind_of(request: ServiceRequest) -> KindOfRequest:
    return KINDS[RequestKind(request.kind)]

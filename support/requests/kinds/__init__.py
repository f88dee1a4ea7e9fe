"""All kinds of service requests: one class in each file here, found automatically.

To add one: its name in `support.models.RequestKind`, in the order of the page where customers choose; its class in a
file here; its row in docs/api.md, if programs may ask for it. The service that makes the change takes the
`ApprovedRequest` as its authority, for the verb that is the kind's value. CONTRIBUTING.md has the steps.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from support.models import RequestKind, ServiceRequest
from support.requests.kind import KindOfRequest, registered


def _classes() -> Iterator[type[KindOfRequest]]:
    for found in pkgutil.iter_modules(__path__, f"{__name__}."):
        for one in vars(importlib.import_module(found.name)).values():
            if isinstance(one, type) and issubclass(one, KindOfRequest) and one.__module__ == found.name:
                yield one


KINDS = registered(*_classes())
PAGE_KINDS = tuple(kind for kind, rule in KINDS.items() if rule.on_the_page)


def kind_of(request: ServiceRequest) -> KindOfRequest:
    return KINDS[RequestKind(request.kind)]

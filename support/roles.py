"""What each role may do here; granted by a migration, asked by the services."""

from accounts.roles import Role

_LOOKING = ("support.view_ticket", "support.view_servicerequest")
_HANDLING = ("support.handle_ticket", "support.decide_request")

GRANTS: dict[Role, tuple[str, ...]] = {
    Role.CUSTOMER: ("support.open_ticket", "support.file_request"),
    Role.SUPPORT: _LOOKING + _HANDLING,
    Role.AUDITOR: _LOOKING,
    Role.ADMIN: _LOOKING + _HANDLING,
}

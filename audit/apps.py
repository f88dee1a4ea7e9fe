from django.apps import AppConfig
from django.core import checks


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from audit.append_only import check_triggers_stand

        checks.register(check_triggers_stand, checks.Tags.database)

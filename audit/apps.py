from django.apps import AppConfig
from django.core import checks


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from django.db.models import CharField

        from audit.append_only import check_triggers_stand
        from audit.lookups import BeginsWith

        CharField.register_lookup(BeginsWith)
        checks.register(check_triggers_stand, checks.Tags.database)

from django.apps import AppConfig
from django.core import checks


class SecurityAuditConfig(AppConfig):
    name = "bankproject.security_audit"

    def ready(self) -> None:
        from bankproject.security_audit.whole_database import check_whole_database

        checks.register(check_whole_database, checks.Tags.database)

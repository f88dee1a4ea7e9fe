from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class FoundationConfig(AppConfig):
    name = "foundation"

    def ready(self) -> None:
        from django.db.models import CharField

        from foundation import currency_record, standby
        from foundation.append_only import check_triggers_stand
        from foundation.keys import encryption, records
        from foundation.lookups import BeginsWith

        CharField.register_lookup(BeginsWith)
        checks.register(check_triggers_stand, checks.Tags.database)
        encryption.check_before_use(records.verify_once)
        checks.register(records.check_keys, checks.Tags.database)
        checks.register(currency_record.check_currency, checks.Tags.database)
        post_migrate.connect(records.note_after_migrate, sender=self)
        post_migrate.connect(currency_record.note_after_migrate, sender=self)
        connection_created.connect(standby.listen)

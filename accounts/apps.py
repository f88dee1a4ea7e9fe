from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import breached_passwords, encryption, key_records, notices, outbox

        outbox.register(notices.MAILS)
        encryption.check_before_use(key_records.verify_once)
        checks.register(key_records.check_keys, checks.Tags.database)
        checks.register(breached_passwords.check_breach_list, checks.Tags.security)
        post_migrate.connect(key_records.note_after_migrate, sender=self)

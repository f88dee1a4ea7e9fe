from django.apps import AppConfig
from django.core import checks


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import notices
        from accounts.sign_in.passwords import breached
        from foundation import outbox

        outbox.register(notices.MAILS)
        checks.register(breached.check_breach_list, checks.Tags.security)

from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "support"

    def ready(self) -> None:
        from accounts.selectors import ask_for_names_at
        from foundation import outbox
        from support import notices, selectors

        outbox.register(notices.MAILS)
        ask_for_names_at(selectors.name_that_waits)

from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "support"

    def ready(self) -> None:
        from foundation import outbox
        from support import notices

        outbox.register(notices.MAILS)

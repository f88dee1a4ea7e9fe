from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "support"

    def ready(self) -> None:
        from support import notices  # noqa: F401 - registers the writers of this app's mails

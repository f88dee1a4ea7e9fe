from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "transfers"

    def ready(self) -> None:
        from transfers import notices  # noqa: F401 - registers the writers of this app's mails

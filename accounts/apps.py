from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import notices  # noqa: F401 - registers the writers of this app's mails

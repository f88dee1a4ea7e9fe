from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "support"

    def ready(self) -> None:
        from accounts.permission import second_person
        from foundation import outbox
        from support import notices
        from support.requests.services import APPROVED_REQUEST

        second_person.register(APPROVED_REQUEST)
        outbox.register(notices.MAILS)

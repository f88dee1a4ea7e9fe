from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "support"

    def ready(self) -> None:
        from accounts.permission import second_person
        from accounts.selectors import ask_for_names_at
        from foundation import outbox
        from support import notices, selectors
        from support.requests.services import APPROVED_REQUEST

        second_person.register(APPROVED_REQUEST)
        outbox.register(notices.MAILS)
        ask_for_names_at(selectors.name_that_waits)

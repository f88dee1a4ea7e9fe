from django.apps import AppConfig
from django.core import checks


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import notices, roles
        from accounts.people.details import EDIT_USER
        from accounts.people.role import CHANGE_ROLE
        from accounts.permission import second_person
        from accounts.sign_in.passwords import breached
        from accounts.staff.acts import check_acts
        from foundation import outbox

        outbox.register(notices.MAILS)
        second_person.register(CHANGE_ROLE, EDIT_USER)
        checks.register(check_acts)
        checks.register(roles.check_grants, checks.Tags.database)
        checks.register(breached.check_breach_list, checks.Tags.security)

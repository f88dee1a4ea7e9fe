from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.sign_in.emails import user_by_email
from accounts.sign_in.two_factor import current_code


class Command(BaseCommand):
    help = "Demo mode only: print the code that a demo user's authenticator app shows now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Codes are printed in demo mode only (DEMO=1).")
        user = user_by_email(email)
        if user is None:
            raise CommandError(f"No demo user has the address {email}.")
        code = current_code(user)
        if code is None:
            raise CommandError(f"{user} has not begun to turn on two-factor: sign in first.")
        self.stdout.write(code)

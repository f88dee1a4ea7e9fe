import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from accounts.models import User
from accounts.people import first_administrator
from accounts.people.names import NameRefused
from accounts.sign_in.passwords.rules import check_new_password


class Command(BaseCommand):
    help = "Make the first administrator of a real bank. The password is asked for, or read from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--first-name", required=True)
        parser.add_argument("--last-name", default="")

    def handle(self, *args: Any, email: str, first_name: str, last_name: str, **options: Any) -> None:
        try:
            validate_email(email)
            password = self._password()
            check_new_password(password, User(email=email, first_name=first_name, last_name=last_name))
            user = first_administrator.bootstrap_administrator(
                email=email, first_name=first_name, last_name=last_name, password=password
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (first_administrator.AdministratorExists, NameRefused) as error:
            raise CommandError(str(error)) from error
        except first_administrator.EmailTaken as error:
            raise CommandError(f"{email} is taken by another user.") from error
        self.stdout.write(f"{user} can sign in now, and will turn on two-factor then.")

    def _password(self) -> str:
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\n")
        password = getpass.getpass("Password: ")
        if getpass.getpass("Password again: ") != password:
            raise CommandError("The two passwords are not the same.")
        return password

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import demo_people
from accounts.models import User
from transfers import demo


class Command(BaseCommand):
    help = "Demo mode only: people of every role with weeks of history. Run again, it makes what is missing."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("seed_demo runs in demo mode only (DEMO=1): its passwords are public.")
        known = [person.email for person in (*demo_people.PEOPLE, demo_people.ADMIN)]
        if User.objects.exists() and not User.objects.filter(email__in=known).exists():
            raise CommandError("This bank has people of its own: demo users with public passwords do not belong here.")
        if not demo.is_seeded():
            self._seed()
        self._print_people()

    def _seed(self) -> None:
        people = demo.make_people()
        for count in demo.live(people):
            if self.stdout.isatty():
                self.stdout.write(f"\rMaking the demo's history: {count} ", ending="")
        self.stdout.write("\rThe demo bank has people and history.")

    def _print_people(self) -> None:
        self.stdout.write(f"\nSign in at {settings.SITE_URL} as\n")
        for person in demo_people.PEOPLE:
            self.stdout.write(f"  {person.email:<22} {person.role.value:<10} password {demo_people.DEMO_PASSWORD}")
        admin = demo_people.ADMIN
        self.stdout.write(
            f"  {admin.email:<22} {admin.role.value:<10} password {demo_people.ADMIN_FIRST_PASSWORD}"
            " (must be changed, and turns on two-factor)"
        )
        self.stdout.write("The sign-in page shows the code; so does: make code USER=alice@example.com\n")

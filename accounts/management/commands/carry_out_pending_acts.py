from typing import Any

from django.core.management.base import BaseCommand

from accounts.models import PendingState
from accounts.permission import second_person


class Command(BaseCommand):
    help = (
        "Carry out acts that found no second administrator and have waited long enough; forget those that nobody "
        "agreed to. Run it often."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for state, count in second_person.carry_out_due().items():
            self.stdout.write(f"{PendingState(state).label}: {count}")

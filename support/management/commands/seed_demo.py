import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import demo_people
from accounts.models import BankAccount, User
from support import tickets
from support.models import RequestKind, ServiceRequest, Ticket
from support.requests import services as requests
from support.states import TicketStatus
from transfers import demo
from transfers.accounts import freezing


class Command(BaseCommand):
    help = "Demo mode only: make people of every role with months of history. Run again, it makes what is missing."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("seed_demo runs in demo mode only (DEMO=1): its passwords are public.")
        known = [person.email for person in demo_people.EVERYBODY]
        if User.objects.exists() and not User.objects.filter(email__in=known).exists():
            raise CommandError("This bank has people of its own: demo users with public passwords do not belong here.")
        if not demo.is_seeded():
            self._seed()
            talk()
        self._print_people()

    def _seed(self) -> None:
        """Seed the demo: on a terminal one line that counts up; elsewhere, such as in a log, a line before and one
        after."""
        begun, total = time.monotonic(), 0
        if not self.stdout.isatty():
            self.stdout.write("Making the demo bank's people and history.")
        for done, total in demo.live(demo.make_people()):
            if self.stdout.isatty():
                self.stdout.write(f"\rMaking the demo's history: {100 * done // total} % ", ending="")
                self.stdout.flush()
        if self.stdout.isatty():
            self.stdout.write("\r", ending="")
        people = User.objects.filter(email__in=[person.email for person in demo_people.EVERYBODY]).count()
        seconds = time.monotonic() - begun
        self.stdout.write(f"The demo bank has {people} people and {total} movements, made in {seconds:.1f} seconds.")

    def _print_people(self) -> None:
        self.stdout.write(f"\nSign in at {settings.SITE_URL} as\n")
        for person in demo_people.PEOPLE:
            self.stdout.write(f"  {person.email:<22} {person.role.value:<10} password {demo_people.DEMO_PASSWORD}")
        admin = demo_people.ADMIN
        self.stdout.write(
            f"  {admin.email:<22} {admin.role.value:<10} password {demo_people.ADMIN_FIRST_PASSWORD}"
            " (must be changed, and turns on two-factor)"
        )
        # None in a demo bank that an earlier version made.
        others = User.objects.filter(email__in=[person.email for person in demo_people.NEIGHBOURS]).count()
        if others:
            self.stdout.write(
                f"and {others} other customers with the first password, such as {demo_people.NEIGHBOURS[0].email}"
            )
        self.stdout.write("The sign-in page shows the code; so does: make code USER=alice@example.com\n")


def talk() -> None:
    """Write the customers' messages to the bank: two conversations and three requests, one for a new name, through the
    services; safe to run again."""
    alice, bob, zoe, sam = (User.objects.get(email=f"{name}@example.com") for name in ("alice", "bob", "zoe", "sam"))
    answered = _ticket(
        alice, "Statements for the tax office", "Do you also send statements on paper, with a stamp?", "seed-ticket-1"
    )
    if answered.status == TicketStatus.OPEN:
        text = "We do not, but the tax office takes our PDF statements: you find them on the page of each account."
        tickets.answer_ticket(actor=sam, public_id=answered.public_id, text=text)
        tickets.note_on_ticket(actor=sam, public_id=answered.public_id, text="Third one this week: add it to the help?")
    _ticket(zoe, "A transfer that I do not know", "Van rental, yesterday? I think Bob paid me twice.", "seed-ticket-2")
    _request(bob, RequestKind.RAISE_DAILY_LIMIT, {"amount": "40000"}, "We are buying a house on Friday.")
    married = {"first_name": "Zoë", "last_name": "O’Brien-Murphy", "address": ""}
    _request(zoe, RequestKind.UPDATE_IDENTITY, married, "I have married.")
    _frozen_twice(zoe)


def _ticket(customer: User, subject: str, text: str, key: str) -> Ticket:
    return tickets.open_ticket(actor=customer, subject=subject, text=text, idempotency_key=key)


def _request(
    customer: User, kind: RequestKind, payload: dict[str, str], reason: str, account: BankAccount | None = None
) -> None:
    if not ServiceRequest.objects.filter(customer=customer, kind=kind).exists():
        requests.file_request(actor=customer, kind=kind, account=account, payload=payload, reason=reason)


def _frozen_twice(customer: User) -> None:
    """Make an account that its owner and an administrator have frozen; the owner asks for an end to it, which a clerk
    cannot give."""
    account = BankAccount.objects.get(owner=customer, nickname="Taxes")
    if account.is_active:
        freezing.freeze_own_account(actor=customer, account=account, reason="Somebody called and knew my balance.")
        ada = User.objects.get(email="ada@example.com")
        why = "Caller with her details asked for a new phone. Passport at the branch before this is lifted."
        freezing.freeze_account(actor=ada, account=account, reason=why)
        account.refresh_from_db()
    _request(customer, RequestKind.UNFREEZE_ACCOUNT, {}, "My taxes are due on Friday.", account)

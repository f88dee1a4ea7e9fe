"""The people of the demo bank; printed by `make run` and offered on the sign-in page in demo mode."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accounts.roles import Role

# Public on purpose: `seed_demo` refuses to run outside demo mode.
DEMO_PASSWORD = "alder-demo-2026"  # noqa: S105
ADMIN_FIRST_PASSWORD = "change-me-at-first-sign-in"  # noqa: S105


@dataclass(frozen=True)
class Person:
    first_name: str
    last_name: str
    email: str
    role: Role
    phone: str
    address: str

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def login(self) -> str:
        """Return the part before the @, by which the demo's history names them."""
        return self.email.partition("@")[0]


# The people to try the bank as: the sign-in page and `seed_demo` name them.
PEOPLE = (
    Person("Alice", "Archer", "alice@example.com", Role.CUSTOMER, "+49 30 5550101", "Lindenallee 4\n10117 Berlin"),
    Person("Bob", "Brandt", "bob@example.com", Role.CUSTOMER, "+49 30 5550102", "Am Ufer 12\n20095 Hamburg"),
    Person("Zoë", "O’Brien", "zoe@example.com", Role.CUSTOMER, "+353 1 5550103", "7 Quay Street\nGalway"),
    Person("Sam", "Sorensen", "sam@example.com", Role.SUPPORT, "+49 30 5550104", "Alder Bank"),
    Person("Audrey", "Adler", "audrey@example.com", Role.AUDITOR, "+49 30 5550105", "Alder Bank"),
    Person("Ada", "Almeida", "ada@example.com", Role.ADMIN, "+49 30 5550106", "Alder Bank"),
)
# The people they deal with: employer, landlady, shops, neighbours. All have the same password. A business has its whole
# name in one field, and Noor has one name (R1.1), so that the payee check has a case of each.
NEIGHBOURS = (
    Person(
        *("Nordlicht Studio GmbH", "", "nordlicht@example.com", Role.CUSTOMER),
        *("+49 30 5550107", "Speicherhof 9\n10997 Berlin"),
    ),
    Person(
        *("Margarethe", "von Löwenstein-Huber", "margarethe@example.com", Role.CUSTOMER),
        *("+49 30 5550108", "Lindenallee 2\n10117 Berlin"),
    ),
    Person("Yıldız Market", "", "market@example.com", Role.CUSTOMER, "+49 30 5550109", "Lindenallee 11\n10117 Berlin"),
    Person("Café Lumière", "", "cafe@example.com", Role.CUSTOMER, "+49 30 5550110", "Am Markt 1\n10117 Berlin"),
    Person("Linden-Apotheke", "", "apotheke@example.com", Role.CUSTOMER, "+49 30 5550111", "Am Markt 3\n10117 Berlin"),
    Person("Leïla", "Haddad", "leila@example.com", Role.CUSTOMER, "+49 30 5550112", "Gartenweg 27\n12043 Berlin"),
    Person("Noor", "", "noor@example.com", Role.CUSTOMER, "+49 30 5550113", "Gartenweg 27\n12043 Berlin"),
    Person(
        *("Željka", "Horvat-Kovačević", "zeljka@example.com", Role.CUSTOMER),
        *("+49 30 5550114", "Lindenallee 11\n10117 Berlin"),
    ),
    Person("Hương", "Nguyễn", "huong@example.com", Role.CUSTOMER, "+49 30 5550115", "Am Ufer 30\n20095 Hamburg"),
)
# Must change the password at the first sign-in.
ADMIN = Person("First", "Administrator", "admin@example.com", Role.ADMIN, "+49 30 5550100", "Alder Bank")
EVERYBODY = (*PEOPLE, *NEIGHBOURS, ADMIN)


def sign_in_hints() -> dict[str, Any]:
    """Return what the sign-in page shows in demo mode, and never otherwise."""
    if not settings.DEMO:
        return {}
    return {"demo_people": PEOPLE, "demo_password": DEMO_PASSWORD}

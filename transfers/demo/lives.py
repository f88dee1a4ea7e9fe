"""The demo's people in data: which accounts they have, and what they do with their money.

Salaries, rents and groceries are payments between them, so that both sides can be looked at. Money from outside the
bank, such as a shop's takings, is paid in at the counter. People who could pile up money spend or save what is `above`
a sum, so that no balance grows without end.
"""

from dataclasses import dataclass

from accounts.models import AccountKind
from transfers.demo.habits import (
    CASH,
    Habit,
    above,
    between,
    exactly,
    monthly,
    notes,
    now_and_then,
    once,
    payday,
    priced,
    weekly,
)

SAVINGS, CHECKING = AccountKind.SAVINGS, AccountKind.CHECKING


@dataclass(frozen=True)
class Holding:
    """An account of a person: `key` is `person.account`, `deposit` its opening deposit, in cents."""

    key: str
    kind: AccountKind
    nickname: str
    deposit: int

    @property
    def owner(self) -> str:
        return owner_of(self.key)


def owner_of(key: str) -> str:
    return key.partition(".")[0]


HOLDINGS = (
    Holding("alice.everyday", CHECKING, "Everyday", 2150_00),
    Holding("alice.holidays", SAVINGS, "Holidays", 800_00),
    Holding("alice.rainy", SAVINGS, "Rainy day", 2500_00),
    Holding("bob.checking", CHECKING, "", 1640_50),
    Holding("bob.house", SAVINGS, "House", 12500_00),
    Holding("zoe.studio", CHECKING, "Studio", 910_75),
    Holding("zoe.taxes", SAVINGS, "Taxes", 600_00),
    Holding("nordlicht.business", CHECKING, "Business", 14200_00),
    Holding("nordlicht.reserve", SAVINGS, "Reserve", 18000_00),
    Holding("margarethe.rents", CHECKING, "Rents", 3180_40),
    Holding("margarethe.roof", SAVINGS, "New roof", 7400_00),
    Holding("market.till", CHECKING, "Till", 6230_15),
    Holding("cafe.till", CHECKING, "", 5480_90),
    Holding("cafe.machine", SAVINGS, "Espresso machine", 900_00),
    Holding("apotheke.till", CHECKING, "", 7120_35),
    Holding("leila.checking", CHECKING, "Home", 1935_20),
    Holding("leila.studies", SAVINGS, "Noor’s studies", 3600_00),
    Holding("noor.pocket", CHECKING, "", 145_60),
    Holding("zeljka.checking", CHECKING, "Tekući", 1480_00),
    Holding("zeljka.zadar", SAVINGS, "Zadar", 1100_00),
    Holding("huong.checking", CHECKING, "", 1320_80),
    Holding("huong.scooter", SAVINGS, "Scooter", 450_00),
)

# Who is away: month of the plan, first and last day.
AWAY = {
    "alice": (3, 6, 19),
    "leila": (1, 10, 23),
    "noor": (1, 10, 23),
    "zeljka": (2, 12, 25),
    "huong": (4, 2, 20),
}

_COFFEE = ("Coffee", "Flat white", "Coffee and croissant", "Two coffees", "Lunch", "Tea and cake")
_BRUNCH = ("Brunch", "Breakfast for two", "Cake for the weekend", "Sunday brunch")
_SHOPS = ("Groceries", "Groceries", "Shopping", "Bread, milk, eggs", "Fruit & veg", "Dinner things")
_DINNER = ("Dinner, thanks!", "My half of the pizza", "For Thursday’s curry", "Dinner – you cooked, I shopped")


def _household(account: str, *, portions: int = 1) -> list[Habit]:
    """Return everybody's habits: the shop two or three times a week, the café, the pharmacy, a cash machine."""
    return [
        Habit(account, "market.till", weekly(45, 15, 40, 25, 45, 0, 0), between(6, 16 + 14 * portions), _SHOPS,
              (8, 20), at_home=True),
        Habit(account, "market.till", weekly(0, 0, 0, 0, 0, 75, 0), between(18, 34 + 26 * portions),
              ("Weekend shopping", "Weekly shop", "Groceries"), (9, 17), at_home=True),
        Habit(account, "cafe.till", weekly(10, 28, 22, 28, 34, 0, 0), priced(2, 8), _COFFEE, (8, 16), at_home=True),
        Habit(account, "cafe.till", weekly(0, 0, 0, 0, 0, 30, 30), priced(8, 26), _BRUNCH, (10, 14), at_home=True),
        Habit(account, "apotheke.till", weekly(8, 6, 6, 8, 6, 9, 0), priced(4, 28),
              ("Pharmacy", "Prescription", "Cough syrup", "Sun cream", ""), (9, 18), at_home=True),
        Habit(account, CASH, weekly(5, 10, 8, 8, 16, 14, 4), notes(20, 30, 40, 50, 60, 80),
              ("Cash machine", "Cash machine", "Cash for the weekend", "Flea market"), (9, 21), at_home=True),
    ]  # fmt: skip


def _salary(source: str, target: str, amount: int, text: str = "Salary") -> Habit:
    return Habit(source, target, payday, exactly(amount), (text,), (5, 7), must=True)


def _rent(account: str, amount: int, text: str = "Rent") -> Habit:
    return Habit(account, "margarethe.rents", monthly(1), exactly(amount), (text,), (5, 7), must=True)


def _saved(source: str, target: str, amount: int, day: int, text: str) -> Habit:
    return Habit(source, target, monthly(day), exactly(amount), (text,), (6, 8))


_ALICE = [
    *_household("alice.everyday"),
    _rent("alice.everyday", 890),
    _saved("alice.everyday", "alice.rainy", 150, 2, "Rainy day plan"),
    Habit("alice.everyday", "alice.holidays", weekly(0, 0, 0, 0, 100, 0, 0), exactly(75), ("Set aside",), (18, 19)),
    Habit("alice.everyday", "alice.rainy", monthly(24), above(1700, 55, 85), ("What is left of the month",)),
    Habit("alice.everyday", "zoe.studio", weekly(0, 0, 90, 0, 0, 0, 0), between(18, 42), ("Pottery class",), (19, 21),
          at_home=True),
    Habit("alice.everyday", "bob.checking", weekly(0, 0, 0, 0, 0, 22, 18), between(9, 38),
          ("Cinema and popcorn", "Museum tickets", "Your share of the picnic", "Parking"), (12, 22), at_home=True),
    Habit("alice.everyday", "huong.checking", weekly(0, 8, 0, 8, 0, 0, 0), priced(9, 24), ("Lunch, cảm ơn!", "Lunch"),
          (12, 14), at_home=True),
    Habit("alice.everyday", "bob.checking", once(1, 14), exactly(180), ("The blue sofa",), (11, 13)),
    Habit("alice.holidays", "alice.everyday", once(3, 4), exactly(900), ("Two weeks in Lisbon",)),
    Habit("alice.everyday", CASH, once(3, 5), exactly(320), ("Travel money",)),
    Habit("alice.everyday", CASH, now_and_then(3, 6, 19, 40), notes(40, 60, 80), ("Cash machine, Lisboa",), (10, 22)),
    Habit("alice.rainy", "alice.everyday", once(5, 11), exactly(640), ("Washing machine, at last",)),
    Habit("alice.everyday", CASH, once(5, 12), exactly(629), ("Washing machine",)),
]  # fmt: skip

_BOB = [
    *_household("bob.checking"),
    _rent("bob.checking", 760),
    _saved("bob.checking", "bob.house", 400, 28, "House fund"),
    Habit("bob.checking", "bob.house", monthly(24), above(1500, 50, 80), ("Extra for the house",)),
    Habit("bob.checking", "alice.everyday", weekly(0, 0, 0, 70, 0, 0, 0), between(12, 35), _DINNER, (20, 22)),
    Habit("bob.checking", "zeljka.checking", weekly(0, 0, 0, 0, 15, 15, 0), between(8, 26),
          ("Board game night", "Beer and čevapi"), (19, 22), at_home=True),
    Habit("bob.house", "bob.checking", once(2, 8), exactly(1250), ("For the bicycle",), (8, 9)),
    Habit("bob.checking", CASH, once(2, 8), exactly(1240), ("New bicycle",), (15, 17)),
]  # fmt: skip

_ZOE = [
    *_household("zoe.studio"),
    _rent("zoe.studio", 380, "Studio, monthly rent"),
    _saved("zoe.studio", "zoe.taxes", 220, 3, "Put by for taxes"),
    Habit(CASH, "zoe.studio", weekly(85, 0, 0, 0, 0, 0, 0), between(240, 560), ("Ceramics market", "Weekend market")),
    Habit("zoe.studio", "bob.checking", weekly(0, 0, 0, 0, 60, 0, 0), between(20, 55), ("Van rental",), (8, 10)),
    Habit("zoe.studio", CASH, monthly(9, 19), above(1100, 45, 75), ("Clay and glazes", "Kiln repair", "Market fee")),
    Habit("zoe.taxes", CASH, once(4, 10), exactly(780), ("Tax office",)),
    Habit("cafe.till", "zoe.studio", monthly(15), priced(90, 190), ("Cups and saucers", "Twelve espresso cups")),
    Habit("nordlicht.business", "zoe.studio", once(3, 17), exactly(640), ("40 mugs – invoice 0117",)),
]  # fmt: skip

_BUSINESSES = [
    Habit(CASH, "nordlicht.business", weekly(0, 55, 0, 55, 0, 0, 0), between(1800, 3200),
          ("Invoice paid, Hafen & Söhne", "Invoice paid, Studio Łódź", "Invoice paid, Crèche Bleue", "Workshop fee")),
    _salary("nordlicht.business", "alice.everyday", 2680),
    _salary("nordlicht.business", "bob.checking", 2410),
    Habit("nordlicht.business", "cafe.till", weekly(0, 0, 0, 0, 85, 0, 0), priced(38, 96), ("Friday breakfast",),
          (9, 11)),
    Habit("nordlicht.business", CASH, monthly(10), exactly(1850), ("Tax prepayment",)),
    Habit("nordlicht.business", "nordlicht.reserve", monthly(5), above(11500, 30, 60), ("To the reserve",)),
    Habit("nordlicht.business", CASH, monthly(16), between(1400, 2600),
          ("Freelancers", "Translators, photographer")),
    _rent("nordlicht.business", 1350, "Office rent, Speicherhof 9"),
    Habit("nordlicht.reserve", CASH, once(4, 21), exactly(5200), ("Three new workstations",)),
    Habit(CASH, "market.till", weekly(100, 100, 100, 100, 100, 100, 0), between(130, 330), ("Takings",), (20, 22)),
    _salary("market.till", "zeljka.checking", 2050, "Wages"),
    _rent("market.till", 1150, "Shop rent, Lindenallee 11"),
    Habit("market.till", CASH, weekly(0, 100, 0, 0, 100, 0, 0), above(4200, 55, 85),
          ("Wholesale market", "Wholesale market", "Dairy and bread", "Cooling repaired"), (5, 8)),
    Habit(CASH, "cafe.till", weekly(0, 100, 100, 100, 100, 100, 100), between(90, 290), ("Takings",), (18, 20)),
    _salary("cafe.till", "huong.checking", 1920, "Wages"),
    Habit("cafe.till", "noor.pocket", payday, priced(180, 290), ("Weekend shifts",), (6, 7), must=True),
    _rent("cafe.till", 980, "Café rent, Am Markt 1"),
    _saved("cafe.till", "cafe.machine", 120, 4, "Espresso machine"),
    Habit("cafe.till", CASH, weekly(0, 0, 100, 0, 0, 0, 0), above(4000, 55, 85), ("Coffee, milk, flour", "Roastery")),
    Habit("cafe.till", "market.till", weekly(0, 40, 0, 40, 0, 50, 0), between(14, 60), ("Milk and fruit",), (7, 9)),
    Habit(CASH, "apotheke.till", weekly(100, 100, 100, 100, 100, 60, 0), between(150, 340), ("Takings",), (18, 20)),
    _salary("apotheke.till", "leila.checking", 2890),
    Habit("apotheke.till", CASH, weekly(0, 0, 0, 100, 0, 0, 0), above(4800, 60, 90), ("Supplier", "Wholesaler")),
    Habit("margarethe.rents", CASH, monthly(12, 22), above(2600, 35, 65),
          ("Plumber, Lindenallee 4", "Stairwell painted", "Heating oil", "Property tax", "Gardener")),
]  # fmt: skip

_NEIGHBOURS = [
    *_household("margarethe.rents"),
    _saved("margarethe.rents", "margarethe.roof", 1200, 8, "New roof"),
    Habit("margarethe.roof", CASH, once(5, 19), exactly(6800), ("Roofer, first instalment",)),
    *_household("leila.checking", portions=2),
    _rent("leila.checking", 980),
    _saved("leila.checking", "leila.studies", 150, 3, "For university"),
    Habit("leila.checking", "noor.pocket", weekly(0, 0, 0, 0, 0, 100, 0), exactly(20), ("Pocket money",), (9, 11)),
    Habit("leila.checking", "noor.pocket", monthly(2), exactly(60), ("Phone and tram",)),
    Habit("leila.checking", "leila.studies", monthly(24), above(1500, 50, 80), ("Left over",)),
    Habit("leila.checking", CASH, once(1, 9), exactly(450), ("Travel money, Tunis",)),
    *_household("noor.pocket", portions=0),
    Habit("noor.pocket", "zoe.studio", once(2, 20), exactly(35), ("Bowl for Mama’s birthday 🙂",)),
    *_household("zeljka.checking"),
    _rent("zeljka.checking", 640),
    _saved("zeljka.checking", "zeljka.zadar", 250, 29, "Za Zadar"),
    Habit("zeljka.checking", "zeljka.zadar", monthly(24), above(1300, 45, 75), ("Ostatak",)),
    Habit("zeljka.zadar", "zeljka.checking", once(2, 11), exactly(700), ("Godišnji odmor",)),
    Habit("zeljka.checking", CASH, now_and_then(2, 12, 25, 35), notes(40, 60, 90), ("Bankomat, Zadar",), (9, 21)),
    Habit("zeljka.checking", "huong.checking", weekly(0, 12, 0, 0, 12, 0, 12), between(7, 22),
          ("Phở on Friday", "Half of the taxi", "Concert"), (18, 23), at_home=True),
    *_household("huong.checking"),
    _rent("huong.checking", 620),
    _saved("huong.checking", "huong.scooter", 110, 28, "Scooter"),
    Habit("huong.checking", "huong.scooter", monthly(24), above(1200, 45, 75), ("Scooter, extra",)),
    Habit("huong.checking", "zoe.studio", weekly(0, 0, 45, 0, 0, 0, 0), between(18, 30), ("Pottery class",), (19, 21),
          at_home=True),
    Habit("huong.checking", CASH, once(4, 1), exactly(480), ("Tết at home, travel money",)),
    Habit("huong.scooter", CASH, once(5, 6), exactly(850), ("Second-hand scooter",)),
]  # fmt: skip

# In this order on a day, at the same minute: wages and rents before the purchases that need them.
HABITS = (*_BUSINESSES, *_ALICE, *_BOB, *_ZOE, *_NEIGHBOURS)

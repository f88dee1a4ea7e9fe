"""The payee check: the payer's text, the account holder's name, and our answer (R3.6).

Each row can be read without the code: M is a match, N a near match (the right name is shown), - no match.
"""

import pytest

from accounts import demo_people
from accounts.roles import Role
from tests.asvs import proves
from transfers.models import NameCheck
from transfers.payees.name_check import compare, guess_of

M, N, NO = NameCheck.MATCH, NameCheck.NEAR, NameCheck.NO_MATCH

# Typed text, first name, last name, our answer.
PAIRS = [
    # The right name, with differences that do not count: case, accents, order, hyphens, apostrophes, titles.
    ("Alice Archer", "Alice", "Archer", M),
    ("ALICE ARCHER", "Alice", "Archer", M),
    ("archer alice", "Alice", "Archer", M),
    ("Archer, Alice", "Alice", "Archer", M),
    ("Zoe O'Brien", "Zoë", "O’Brien", M),
    ("Zoë O Brien", "Zoë", "O’Brien", M),
    ("Francois Muller", "François", "Müller", M),
    ("Francois Mueller", "François", "Müller", M),
    ("Jan Strasse", "Jan", "Straße", M),
    ("Soren Lokke", "Søren", "Løkke", M),
    ("Lukasz Wisniewski", "Łukasz", "Wiśniewski", M),
    ("Zeljka Horvat Kovacevic", "Željka", "Horvat-Kovačević", M),
    ("Nguyen Huong", "Hương", "Nguyễn", M),
    ("Anna Lena Roth", "Annalena", "Roth", M),
    ("Dr. Alice Archer", "Alice", "Archer", M),
    ("Ms Alice Archer", "Alice", "Archer", M),
    ("Frau Dipl.-Ing. Alice Archer", "Alice", "Archer", M),
    ("Herr Prof. Dr. med. Jan Roth", "Jan", "Roth", M),
    ("Jan Herr", "Jan", "Herr", M),
    ("Jan", "Jan", "Herr", NO),
    ("Dr Smith", "Dr", "Smith", M),
    ("Smith", "Dr", "Smith", NO),
    ("Smith", "Lord", "Smith", NO),
    ("Noor", "Noor", "", M),
    # A slip in a word, a second name that is missing or was added.
    ("Alise Archer", "Alice", "Archer", N),
    ("Alice Archr", "Alice", "Archer", N),
    ("Jon Smith", "John", "Smith", N),
    ("John Smiht", "John", "Smith", N),
    ("Smyth John", "John", "Smith", N),
    ("Margarete von Löwenstein", "Margarethe", "von Löwenstein-Huber", N),
    ("Anna Müller", "Anna", "Müller-Schmidt", N),
    ("Gabriel Garcia", "Gabriel José", "García Márquez", N),
    ("Michael Smith", "John Michael", "Smith", N),
    ("John Michael Smith", "John", "Smith", N),
    ("Noora", "Noor", "", N),
    # Half a name buys nothing: a surname, a given name, initials, a list of guesses.
    ("Archer", "Alice", "Archer", NO),
    ("Alice", "Alice", "Archer", NO),
    ("A Archer", "Alice", "Archer", NO),
    ("A. Archer", "Alice", "Archer", NO),
    ("Mr J Smith", "John", "Smith", NO),
    ("J.R. Smith", "John Robert", "Smith", NO),
    ("Alice A.", "Alice", "Archer", NO),
    ("A. A.", "Alice", "Archer", NO),
    ("AA", "Alice", "Archer", NO),
    ("Archer Archer", "Alice", "Archer", NO),
    ("Ali", "Ali", "Ali", NO),
    ("Huber", "Margarethe", "von Löwenstein-Huber", NO),
    ("von Margarethe", "Margarethe", "von Löwenstein-Huber", NO),
    ("Anna Berta Clara Doris Archer", "Clara", "Archer", NO),
    ("Alice Archer Bob Brandt", "Alice", "Archer", NO),
    ("Bob Brandt, Alice Archer", "Alice", "Archer", NO),
    ("Bob Alice Archer Brandt", "Alice", "Archer", NO),
    ("Ewan Mac Intyre", "Ewan", "MacIntyre", M),
    ("Evan Mac Intyre", "Ewan", "MacIntyre", N),
    # Another person.
    ("Bob Brandt", "Alice", "Archer", NO),
    ("Bob Archer", "Alice", "Archer", NO),
    ("Alice Brandt", "Alice", "Archer", NO),
    ("Rob Lee", "Bob", "Lee", NO),
    ("Bob Smith", "Robert", "Smith", NO),
    ("Zoe Nguyen", "Noor", "", NO),
    # Businesses, as wholes.
    ("Nordlicht Studio GmbH", "Nordlicht Studio GmbH", "", M),
    ("nordlicht studio", "Nordlicht Studio GmbH", "", M),
    ("Nordlicht Studio Gmbh.", "Nordlicht Studio", "GmbH", M),
    ("Cafe Lumiere", "Café Lumière", "", M),
    ("Smith and Sons Limited", "Smith & Sons Ltd.", "", M),
    ("Smith & Sons GmbH", "Smith & Sons Ltd.", "", N),
    ("Lumiere Cafe", "Café Lumière", "", N),
    ("Nordlicht Studoi", "Nordlicht Studio GmbH", "", N),
    ("Nordlicht", "Nordlicht Studio GmbH", "", NO),
    ("GmbH", "Nordlicht Studio GmbH", "", NO),
    ("Smith", "Smith & Sons Ltd.", "", NO),
    ("Studio Nordlicht Berlin", "Nordlicht Studio GmbH", "", NO),
    ("Lin", "Lin", "Se", NO),
    # Other scripts: each in its own, marks that are letters kept.
    ("Иван Петров", "Иван", "Петров", M),
    ("петров иван", "Иван", "Петров", M),
    ("Ivan Petrov", "Иван", "Петров", NO),
    ("Ιωαννης Παπας", "Ιωάννης", "Παπάς", M),
    ("احمد حسن", "أحمد", "حسن", M),
    ("王小明", "小明", "王", NO),
    ("王 小明", "小明", "王", M),
    ("王", "小明", "王", NO),
    ("山田太郎", "太郎", "山田", NO),
    ("अमित शर्मा", "अमित", "शर्मा", M),
    ("अमत शर्मा", "अमित", "शर्मा", N),
    # Letters that only look alike: neither the real name against a false one, nor the other way round.
    ("Alice Alder", "Alice", "AIder", NO),
    ("Alice AIder", "Alice", "Alder", NO),
    ("Bob Brandt", "Bоb", "Brandt", NO),
    ("Bоb Brandt", "Bоb", "Brandt", NO),
    ("Bоb Brandt", "Bob", "Brandt", NO),
    ("Alder Bank", "АІder", "Bank", NO),
    ("Anna Barnes", "Anna", "Bames", NO),
    ("Alder Bank", "Alder", "8ank", NO),
    ("Ｂｏｂ Ｂｒａｎｄｔ", "Bob", "Brandt", M),
    # Nothing at all.
    ("", "Alice", "Archer", NO),
    ("Dr.", "Alice", "Archer", NO),
    ("---", "Alice", "Archer", NO),
]


@proves("V2.2.1")
@pytest.mark.parametrize(
    ("typed", "first_name", "last_name", "answer"), PAIRS, ids=[f"{t}-{f} {s}" for t, f, s, _ in PAIRS]
)
def test_a_name_is_judged_as_a_clerk_would(typed: str, first_name: str, last_name: str, answer: NameCheck) -> None:
    """R3.6: a near match is close in given name and in surname; a surname alone, or initials, are not a match."""
    assert compare(typed, first_name, last_name) == answer


def test_the_same_words_are_one_guess() -> None:
    """R3.6: five different names; another order, case or accent is not another one."""
    assert guess_of("Zoë O’Brien") == guess_of("o'brien, ZOE") == guess_of("Ms Zoe OBrien")
    assert guess_of("Zoë O’Brien") != guess_of("Zoë Brien")


def test_the_check_has_something_of_each_to_say_of_the_demos_people() -> None:
    """R3.6: a visitor of the demo can see a match of everybody, and a near match of a person and of a business."""
    customers = [person for person in demo_people.EVERYBODY if person.role == Role.CUSTOMER]
    for person in customers:
        whole = f"{person.first_name} {person.last_name}".strip()
        assert compare(whole.upper(), person.first_name, person.last_name) == M, whole
    names = {(person.first_name, person.last_name) for person in customers}
    assert {("Bob", "Brandt"), ("Nordlicht Studio GmbH", ""), ("Noor", "")} <= names
    assert compare("Bob Brant", "Bob", "Brandt") == N
    assert compare("Nordlicht Studoi GmbH", "Nordlicht Studio GmbH") == N
    assert compare("Brandt", "Bob", "Brandt") == NO

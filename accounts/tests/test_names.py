"""Nobody may have the bank's own name, nor one that imitates it, and real names are accepted (R1.8, B7)."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts import demo_people, people
from accounts.models import Registration, User
from accounts.people import registration
from accounts.people.names import (
    NameInTwoAlphabets,
    NameReserved,
    NameWithHiddenCharacters,
    check_name,
    is_the_banks,
)
from foundation.refusals import Refusal
from tests.acts import NEWCOMER, register
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import REASON, an_origin, approved, fresh_code
from tests.tables import in_one_world

THE_BANKS = (
    "Alder Bank", "ALDER  BANK", "alder bank", "Alder-Bank", "Alder.Bank", "Alder_Bank", "'Alder Bank'", "AlderBank",
    "alderbank", "A l d e r   B a n k", "Al der Ban k", "Bank Alder", "Bank, Alder", "Bank of Alder", "The Alder Bank",
    "Alder Bank Support", "Alder Bank Ltd", "Eva Alder Bank", "Alder Savings Bank", "AlderBankSupport",
    "alderbanksupport", "Alder Support", "Alder Security Team", "Alder Customer Service",
    "Alder Fraud Prevention", "Alder Refunds", "Your Alder", "Alder Compliance", "Alder Verification Team",
    # letters and digits that look alike
    "A1der Bank", "AIder Bank", "A|der Bank", "Alder B4nk", "4lder Bank", "Ald3r Bank", "@lder Bank",
    "Alder 8ank", "Alder ßank", "Alder ₿ank", "Aldər Bank", "Alder Bank2", "Alder Bank2026", "AlderBank24",
    # other alphabets
    "Аlder Bank", "АLDER ВАNК", "Αlder Βank", "aldeг bank", "Alder Bапk", "ALDER BANΚ", "AlᏧer Bank",
    # compatibility forms and accents
    "Ａｌｄｅｒ Ｂａｎｋ", "𝐀𝐥𝐝𝐞𝐫 𝐁𝐚𝐧𝐤", "ᴀʟᴅᴇʀ ʙᴀɴᴋ", "Ⓐlder Bank", "🅰lder Bank", "Áldèr Bänk",
    # invisible characters
    "Alder\u200bBank", "Al\u00adder Bank", "Alder\u00a0Bank", "Alder\u2060 Bank", "\u200eAlder Bank",
)  # fmt: skip
PEOPLES = (
    "Eva Alder", "Alder", "Alder Smith", "Tyra Banks", "Banks", "Alder Banks", "Alder Bankole", "Eva Bank", "Bank",
    "Calder Bank", "John Calderbank", "Balder Bank", "Adler Bank", "Eva Calder", "Iris Bank", "Alder Support-Müller",
)  # fmt: skip
REAL = (
    "Zoë O’Brien", "Margarethe von Löwenstein-Huber", "Yıldız Şahin", "Hương Nguyễn", "Željka Horvat-Kovačević",
    "Łukasz Żółć", "Þórður Guðmundsson", "ʻAkahi Kealoha", "Núñez", "X Æ A-12", "N’Golo Kanté", "Noor",
    "Иван Петров", "Ελένη Παπαδοπούλου", "דוד כהן", "محمد علی", "می\u200cخواهم علی", "मोहनदास गांधी", "क्\u200dष शर्मा",
    "தமிழ் செல்வன்", "สมชาย ใจดี", "გიორგი ბერიძე", "Նարեկ Սարգսյան", "김 철수", "山田 たかし", "葛\U000e0100城 花子",
    "ABC商事", "Café Lumière", "Linden-Apotheke", "Studio 54",
)  # fmt: skip
HIDDEN = ("a\u202eb", "Ann\u200da", "Ann\u200ba", "Ann\u00ada", "Ann\u200f", "Ann\u061c", "Ann\ufe0f", "\u3164Ann")
MIXED = ("Jоhn Smith", "Аnna", "Иван Smith", "Pаul", "Μaria", "Annա")


@proves("V2.2.1")
@pytest.mark.parametrize("name", THE_BANKS)
def test_what_people_take_for_the_banks_name_is_the_banks(name: str) -> None:
    # R1.8: look-alikes, NFKC, case, spaces, punctuation, invisible characters, any order, any split of first and last.
    assert is_the_banks(name)
    for place in (position for position, char in enumerate(name) if char == " "):
        with pytest.raises(Refusal):
            check_name(name[:place].strip(), name[place:].strip())


@pytest.mark.parametrize("name", PEOPLES)
def test_names_of_people_that_have_a_word_of_it_are_theirs(name: str) -> None:
    # R1.1, R1.8
    assert not is_the_banks(name)
    check_name(*name.partition(" ")[::2])


@pytest.mark.parametrize(
    ("bank", "the_banks", "peoples"),
    [
        ("Birch", ["Birch", "B I R C H", "Birсh", "Birch Bank", "Birch Support"], ["John Birch", "Birch John"]),
        ("Müller & Söhne", ["Muller Sohne", "Söhne & Müller", "MÜLLER und SÖHNE"], ["Max Müller", "Söhne"]),
        ("First National Bank", ["National First Bank", "FirstNationalBank"], ["First Administrator", "Eva First"]),
        ("N26", ["N26", "n 26"], ["Nora"]),
        ("The Bank", ["The Bank", "Bank The"], ["Eva Bank"]),
        ("Банк Ольха", ["БАНК ОЛЬХА", "Банк-Ольха"], ["Ольга"]),
        ("One Two Three Four Five Six", ["ONE TWO THREE FOUR FIVE SIX", "OneTwoThreeFourFiveSix"], ["One Two"]),
        ("!!", [], ["Eva"]),
    ],
)
def test_it_holds_for_any_name_of_the_bank(bank: str, the_banks: list[str], peoples: list[str], settings: Any) -> None:
    settings.BANK_NAME = bank
    assert [name for name in the_banks if not is_the_banks(name)] == []
    assert [name for name in peoples if is_the_banks(name)] == []


@pytest.mark.parametrize("name", REAL)
def test_real_names_in_any_one_script_are_taken(name: str) -> None:
    # R1.1
    check_name(*name.partition(" ")[::2])


@proves("V2.2.1")
@pytest.mark.parametrize("name", HIDDEN)
def test_what_nobody_sees_is_refused_in_words(name: str) -> None:
    with pytest.raises(NameWithHiddenCharacters, match="nobody can see"):
        check_name(name, "")


@proves("V2.2.1")
@pytest.mark.parametrize("name", MIXED)
def test_letters_of_two_alphabets_are_refused_in_words(name: str) -> None:
    with pytest.raises(NameInTwoAlphabets, match="two alphabets"):
        check_name(*name.partition(" ")[::2])


def test_everybody_in_the_demo_has_a_name_that_people_may_have() -> None:
    for person in demo_people.EVERYBODY:
        check_name(person.first_name, person.last_name)


# --- Each door --------------------------------------------------------------------------------------------------

DOORS = [
    ("Alder", "Bank", "bank’s own name"),
    ("Аlder", "Bank", "two alphabets"),
    ("АӀԁег", "Вапк", "bank’s own name"),
    ("Al\u200dder", "Bank", "nobody can see"),
]


@in_one_world(("first_name", "last_name", "words"), DOORS)
def test_nobody_registers_under_it(first_name: str, last_name: str, words: str, db: Any, client: Any) -> None:
    # R1.8: on the page, at the field.
    answer = register(client, first_name=first_name, last_name=last_name)
    assert words in " ".join(answer.context["form"].errors["first_name"])
    assert not Registration.objects.exists()


def test_nobody_registers_under_it_through_the_api(db: Any, api_of: Any) -> None:
    # R1.8
    sent = {name: value for name, value in NEWCOMER.items() if not name.startswith("password")}
    answer = api_of(None).post(
        "auth/register", sent | {"first_name": "Alder", "last_name": "Bank", "password": PASSWORD}
    )
    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("first_name", "name_reserved")]
    assert not Registration.objects.exists()


def test_nobody_registers_under_it_past_the_forms(db: Any) -> None:
    with pytest.raises(NameReserved):
        registration.register(
            **{name: NEWCOMER[name] for name in ("email", "phone", "address")},
            first_name="Bank", last_name="Alder", password=PASSWORD, ip=None,
        )  # fmt: skip
    assert not Registration.objects.exists()


def edit(ada: Any, user: Any, **changes: str) -> people.Edited:
    present = {name: getattr(user, name) for name in ("first_name", "last_name", "email", "phone", "is_active")}
    return people.edit_user(
        actor=ada, user=user, seen=people.version_of(user), reason=REASON, code=fresh_code(ada), origin=an_origin(),
        **present | changes,
    )  # fmt: skip


def test_staff_give_it_to_nobody(alice: Any, ada: Any) -> None:
    # R1.8, R5.1: neither to a customer nor to a colleague.
    with pytest.raises(NameReserved):
        edit(ada, alice, first_name="Alder", last_name="Bank Support")
    assert User.objects.get(pk=alice.pk).get_full_name() == "Alice Archer"


def test_the_staffs_form_says_it_at_the_field(alice: Any, ada: Any, browser_of: Any) -> None:
    browser, path = browser_of(ada), f"/admin/accounts/user/{alice.pk}/act/edit/"
    form = browser.get(path).context["form"].initial
    sent = form | {"first_name": "Alder", "last_name": "Bank", "reason": REASON, "code": fresh_code(ada)}
    answer = browser.post(path, sent)
    assert "bank’s own name" in " ".join(answer.context["form"].errors["first_name"])


def test_who_had_such_a_name_before_can_still_be_served(alice: Any, ada: Any) -> None:
    # A stored name is checked only when it changes.
    User.objects.filter(pk=alice.pk).update(first_name="Alder", last_name="Bank")
    alice.refresh_from_db()
    assert edit(ada, alice, phone="+49 30 777") == people.Edited(["phone"], None)


def test_a_clerks_approval_gives_it_to_nobody(alice: Any, sam: Any) -> None:
    # R1.8: for example a request filed before the bank had this name.
    with pytest.raises(NameReserved):
        people.update_identity(
            actor=sam, user=alice, first_name="Alder", last_name="Bank", address="", reason=REASON,
            authority=approved("update_identity", alice),
        )  # fmt: skip


def test_the_first_administrator_is_not_called_so(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # R1.8
    monkeypatch.setattr("sys.stdin", StringIO(PASSWORD + "\n"))
    with pytest.raises(CommandError, match="bank’s own name"):
        call_command("bootstrap_admin", "boss@example.com", first_name="Alder", last_name="Bank")
    assert not User.objects.exists()

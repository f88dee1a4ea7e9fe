"""What a search takes for the same, on every engine: accents, case, apostrophes, dashes (R3.7)."""

from hypothesis import given
from hypothesis import strategies as st

from foundation.text import folded, length_of, run_together, without_marks
from tests.tables import in_one_world


@in_one_world(
    ("one", "other"),
    [
        *(("émigré", "Emigre"), ("Straße", "strasse"), ("STRASSE", "straße"), ("O'Brien", "O’Brien"), ("Zoë", "zoe")),
        *(("O`Brien", "oʼbrien"), ("Löw", "LOW"), ("Ångström", "angstrom"), ("Łódź", "lodz"), ("Søren", "soren")),
        *(("Ærø", "aero"), ("Œuvre", "oeuvre"), ("Đorđe", "dorde"), ("ΖΩΉ", "Ζωη"), ("Ёлка", "елка"), ("ﬁn", "fin")),
        *(("İstanbul", "istanbul"), ("ısı", "ISI"), ("Þór", "thor"), ("Nguyễn", "nguyen"), ("Ａｌｉｃｅ", "alice")),
        *(("a–b", "A-B"), ("a\u00a0b", "a b"), ("a\u200bb", "ab"), ("e\u0301", "é"), ("№ 5", "no 5")),
        *(("שָׁלוֹם", "שלום"), ("مُحَمَّد", "محمد"), ("가나", "가나"), ("ＣＡＦÉ", "cafe")),
        ("Müller–Lüdenscheidt", "muller-ludenscheidt"),
    ],
)  # fmt: skip
def test_these_are_the_same_to_a_search(one: str, other: str) -> None:
    """R3.7."""
    assert folded(one) == folded(other)


@in_one_world(
    ("one", "other"),
    [("कुल", "कल"), ("が", "か"), ("รัก", "รก"), ("rent", "rant"), ("O'Brien", "OBrien"), ("5%", "5_"), ("и", "ы")],
)
def test_these_are_not(one: str, other: str) -> None:
    """R3.7: marks that make it another word stay."""
    assert folded(one) != folded(other)


@given(text=st.text(max_size=60))
def test_folding_is_done_once_and_whatever_the_text_fits_its_column(text: str) -> None:
    """R3.7: a folded text folds to itself, so a part of a text is found in the whole of it."""
    once = folded(text)
    assert folded(once) == once
    assert length_of(folded(text, 20)) <= 20
    assert once.startswith(folded(text, 20))


@given(text=st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_is_folded_by_its_case_and_one_apostrophe(text: str) -> None:
    """R3.7: as a database folds it by itself."""
    assert folded(text) == text.lower().replace("`", "'")


def test_marks_go_and_spaces_are_plain() -> None:
    """R3.2: any kind of space in Unicode; a tab or the end of a line stays."""
    spaces = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
    assert without_marks(spaces) == " " * len(spaces)
    assert without_marks("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u2066\u2069\u061c") == ""
    assert run_together(f"1{spaces}2\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d-3") == "123"
    assert run_together("1\t2\n3") == "1\t2\n3"

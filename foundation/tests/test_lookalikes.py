"""What a text looks like, whatever letters it is written in (R1.8)."""

import pytest

from foundation.lookalikes import is_invisible, script_of, skeleton


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alder", "ALDER"),
        ("Alder", "Аlder"),  # a Cyrillic letter
        ("Alder", "A1der"),
        ("Alder", "AIder"),  # a capital I
        ("Alder", "A|der"),
        ("Alder", "Ａｌｄｅｒ"),  # full width
        ("Alder", "𝐀𝐥𝐝𝐞𝐫"),  # mathematical
        ("Alder", "ᴀʟᴅᴇʀ"),  # small capitals
        ("Alder", "🅰lder"),
        ("Alder", "Ål\u0301der"),
        ("Alder", "Al\u200bd\u00ader"),  # a space without width, a soft hyphen
        ("Łukasz", "Lukasz"),
        ("Æther", "AETHER"),
        ("Straße", "STRASSE"),
        ("modern", "rnodem"),
        ("wave", "vvave"),
        ("Bob", "ВОВ"),  # wholly Cyrillic
        ("bank", "bапk"),
        ("Zero", "Zer0"),
        ("O’Brien", "O'Brien"),
    ],
)
def test_what_looks_the_same_has_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alder", "Adler"),
        ("Alder", "Balder"),
        ("Anna", "Ana"),
        ("Иван", "Ольга"),
        ("पीयूष", "पायूष"),  # vowels of Indic scripts are marks, and tell names apart
        ("田中", "中田"),
    ],
)
def test_what_looks_different_has_another(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize("text", ["Alder Bank", "Łódź", "Ελένη", "Иван", "മലയാളം", "", "  "])
def test_a_skeleton_is_its_own_skeleton(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)


def test_a_letter_has_its_script_and_what_leaves_no_mark_is_known() -> None:
    assert [script_of(char) for char in "aаα山 "] == ["LATIN", "CYRILLIC", "GREEK", "HAN", "COMMON"]
    assert all(is_invisible(char) for char in "\u200b\u200d\u200e\u202e\u00ad\u3164\ufe0f\u2060")
    assert not any(is_invisible(char) for char in "aä山ी’- ")

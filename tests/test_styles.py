"""The style sheets and the pages name the same classes: each rule has an element, and each class has a rule."""

import re
from pathlib import Path

import bootstrap
import crispy_bootstrap5
import ninja
import pytest
from django.contrib import admin

from tests.test_house import CODE, ROOT, templates, text_of

SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))
BOOTSTRAP, CRISPY, DJANGO, NINJA = (Path(one.__path__[0]) for one in (bootstrap, crispy_bootstrap5, admin, ninja))
CLASS = re.compile(r"\bclass(?:Name = |=)\"([^\"]*)\"")


def named(sheet: str) -> set[str]:
    """Find the classes in the selectors of a style sheet."""
    text = re.sub(r"/\*.*?\*/|\"[^\"]*\"|url\([^)]*\)", "", sheet, flags=re.DOTALL)
    selectors = re.findall(r"([^{};]*)\{", text)
    return {name for one in selectors if "@" not in one for name in re.findall(r"\.(-?[A-Za-z_][\w-]*)", one)}


def named_in(*folders: Path) -> set[str]:
    """Find the classes in the selectors of all style sheets of these folders."""
    return {name for folder in folders for path in folder.rglob("*.css") for name in named(text_of(path))}


def borne(text: str) -> set[str]:
    """Find the classes of elements in a template or a program; `name-*` where a variable ends the name."""
    bare = re.sub(r"\{%.*?%\}", " ", re.sub(r"\{\{.*?\}\}|\{[\w.]*\}", "*", text))
    return {name for value in CLASS.findall(bare) for name in value.split() if name != "*"}


def borne_here() -> set[str]:
    """Find the classes of all elements that our templates, Python and JavaScript write."""
    programs = [path for folder in CODE for path in (ROOT / folder).rglob("*.py") if "tests" not in path.parts]
    files = [*templates(), *programs, *(ROOT / "static" / "js").glob("*.js")]
    blocks = re.compile(r"\{% block (?:main|body)_class %\}(.*?)\{% endblock %\}")
    texts = [text_of(path) for path in files]
    texts += [f'class="{classes}"' for text in texts for classes in blocks.findall(text)]
    return {name for text in texts for name in borne(text)}


def words_of(folder: Path) -> set[str]:
    """List every word of the templates of a folder: some are classes that a tag puts on an element."""
    return {word for path in folder.rglob("*.html") for word in re.findall(r"[A-Za-z][\w-]*", text_of(path))}


def has(name: str, names: set[str]) -> bool:
    return name in names or any(one.endswith("*") and name.startswith(one[:-1]) for one in names)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_every_class_of_a_style_sheet_is_on_a_page(sheet: Path) -> None:
    names = borne_here() | words_of(CRISPY)
    if sheet.name == "admin.css":
        names |= {"field-*"} | words_of(DJANGO) | named_in(DJANGO)  # cells: foundation/admin/table.py
    if sheet.name == "api_docs.css":
        names |= named_in(NINJA)
    assert sorted(name for name in named(text_of(sheet)) if not has(name, names)) == []


def test_every_class_on_a_page_is_in_a_style_sheet() -> None:
    names = named_in(ROOT / "static" / "css", BOOTSTRAP, DJANGO)
    starts = {name[:end] for name in names for end in range(len(name))}
    assert sorted(name for name in borne_here() - names if name.rstrip("*") not in starts) == []


def test_no_rule_is_written_twice() -> None:
    """Only a width, a medium or the staff's sheet may say more of the same selector."""
    sheets = [text_of(sheet) for sheet in SHEETS if sheet.name not in {"admin.css", "print.css"}]
    for text in ("".join(sheets), text_of(ROOT / "static" / "css" / "admin.css")):
        rules = re.findall(r"^([^\s@}][^{}]*?)\s*\{", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL), re.MULTILINE)
        assert sorted({one for one in rules if rules.count(one) > 1}) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('<p class="a {% if x %}b-c{% else %}d{% endif %}">', {"a", "b-c", "d"}),
        ('<p class="tone-{{ status|lower }}">', {"tone-*"}),
        ('notice.className = "notice";', {"notice"}),
    ],
)
def test_the_classes_of_an_element_are_found(text: str, names: set[str]) -> None:
    assert borne(text) == names


def test_the_classes_of_a_style_sheet_are_found() -> None:
    sheet = '/* .no */ @media (min-width: 1.5rem) { .a:not(.b) > p { content: ".no"; } } .c { background: url(no.svg) }'
    assert named(sheet) == {"a", "b", "c"}

"""docs/operations.md and its alarms name only existing things; tests/slow runs its commands (R9.5, R9.7)."""

import re
import textwrap
from typing import Any

import yaml

from audit import tally
from bankproject.operations.figures import exposition
from tests.processes import ROOT

DOCUMENT = ROOT / "docs" / "operations.md"
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
BLOCK = re.compile(r"^( *)```(bash|text)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(*kinds: str) -> list[tuple[str, str]]:
    """Return (kind, text) of each block of these kinds."""
    document = DOCUMENT.read_text(encoding="utf-8")
    return [(kind, textwrap.dedent(text)) for _, kind, text in BLOCK.findall(document) if kind in kinds]


def test_every_metric_that_the_document_names_is_there(
    db: None, client: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client.get("/sign-in/")
    with django_capture_on_commit_callbacks(execute=True):
        tally.count([tally.Event("LOGOUT")])
    text = exposition().decode()
    document = DOCUMENT.read_text(encoding="utf-8")
    pattern = re.compile(r"\bbank_(?!id\b)[a-z_]+")
    named = set(pattern.findall(document)) - {"bank_app", "bank_migrate"}
    assert len(named) > 10
    in_rules = set(pattern.findall(RULES.read_text(encoding="utf-8")))
    assert len(in_rules) > 5
    assert {name for name in named | in_rules if f"# TYPE {name} " not in text and f"\n{name}" not in text} == set()
    known = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE bank_")}
    assert {name for name in known - named if not name.endswith("_created")} == set(), "and the other way round"


def test_the_rules_are_rules_and_each_alarm_says_what_to_do() -> None:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    alarms = [rule["alert"] for rule in group["rules"]]
    assert len(set(alarms)) == len(alarms) > 5
    assert all(rule["expr"].count("(") == rule["expr"].count(")") for rule in group["rules"])
    table = DOCUMENT.read_text(encoding="utf-8").partition("## Alarms")[2]
    assert [alarm for alarm in alarms if f"`{alarm}`" not in table] == []


def test_every_command_and_setting_that_it_names_is_there() -> None:
    from django.core.management import get_commands

    from tests.setting_names import variables_read_by_settings

    document = DOCUMENT.read_text(encoding="utf-8")
    commands = set(re.findall(r"manage\.py (\w+)", document))
    assert len(commands) > 8
    assert commands - set(get_commands()) == set()
    settings = set(re.findall(r"`((?:LOG|METRICS|FIELD|LOOKUP|AUDIT)_[A-Z_]+)`", document)) - {"LOG_FAILURE"}
    assert settings - variables_read_by_settings() == set()

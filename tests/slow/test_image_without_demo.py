"""The bank's image has no demo in it, and cannot be turned into one (R8.8)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.asvs import proves
from tests.stack.files import compose, copy_context, dockerfile
from tests.test_deployment_files import FILLED_IN

DEMO = {"transfers/demo", "support/management/commands/seed_demo.py", "accounts/management/commands/demo_code.py"}


def built(folder: Path, with_demo: str) -> dict[str, bool]:
    """Make the image's folder by the Dockerfile's own command; return which part of the demo is in it."""
    copy_context(folder)
    (command,) = [text for text in dockerfile("Dockerfile").all("RUN") if "WITH_DEMO" in text]
    environment = {"PATH": os.environ["PATH"], "WITH_DEMO": with_demo}
    subprocess.run(["sh", "-ec", command], cwd=folder, env=environment, check=True)
    return {name: (folder / name).exists() for name in DEMO}


def manage(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    made = {"PATH": os.environ["PATH"], "ENV_FILE": str(folder / ".env"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=folder,
        env=made | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@proves("V15.2.3")
def test_the_image_has_no_demo_starts_without_it_and_refuses_to_be_one(tmp_path: Path) -> None:
    assert not any(built(tmp_path, with_demo="").values())
    subprocess.run([sys.executable, "deploy/make_env.py", ".env"], cwd=tmp_path, check=True, capture_output=True)
    started = manage(tmp_path, "check", SITE_URL="https://bank.test", ALLOWED_HOSTS="bank.test")
    assert started.returncode == 0, started.stderr
    commands = manage(tmp_path, "help", "--commands").stdout.split()
    assert "verify_ledger" in commands
    assert {"seed_demo", "demo_code"} & set(commands) == set()
    refused = manage(tmp_path, "check", DEMO="1")
    assert refused.returncode == 1
    assert refused.stderr == (
        "DEMO is on, but this installation has no demo. Build the image with --build-arg WITH_DEMO=1, or by compose"
        " with DEMO=1 in .env.\n"
    )


@pytest.mark.parametrize(("given", "has_one"), [("1", True), ("0", False), ("true", False)])
def test_only_who_asks_for_the_demo_gets_it(tmp_path: Path, given: str, has_one: bool) -> None:
    assert set(built(tmp_path, with_demo=given).values()) == {has_one}


def test_compose_builds_the_demo_where_it_is_served() -> None:
    for given, built_with in (({}, ""), ({"DEMO": "1"}, "1")):
        web = compose(FILLED_IN | given)["services"]["web"]
        assert web["build"]["args"] == {"WITH_DEMO": built_with}
        assert web["environment"].get("DEMO", "") == built_with

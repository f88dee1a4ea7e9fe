"""Dockerfiles, docker-compose.yml and the workflow, looked at without an engine (R9.3, R9.4, R8.7).

What only an engine can show is in .github/workflows/ci.yml; tests/stack runs the entry points.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from django.core.management import get_commands

from bankproject.environment import BankEnv
from bankproject.hosts import host
from tests.asvs import proves
from tests.setting_names import variables_read_by_settings
from tests.stack.files import Dockerfile, compose, dockerfile, in_the_image
from tests.tables import in_one_world

DOCKERFILES = ("Dockerfile", "deploy/firewall/Dockerfile")
LOCKED = "install --require-hashes --only-binary :all: -r requirements.txt"
# Not read in a container: another file of settings; development, which an image is not for.
NOT_FOR_CONTAINERS = {"ENV_FILE", "DEBUG"}
# Read by another file than the settings: deploy/gunicorn.conf.py.
OF_THE_WEB_SERVER = {"WEB_CONCURRENCY"}
FILLED_IN = dict.fromkeys(
    (
        *("SECRET_KEY", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS"),
        *("MSSQL_SA_PASSWORD", "BANK_DB_PASSWORD", "BANK_MIGRATE_PASSWORD", "CACHE_PASSWORD"),
        "MAIL_PASSWORD",
    ),
    "given",
)


# --- The Dockerfiles ----------------------------------------------------------------------------------------


def faults(file: Dockerfile) -> set[str]:
    """Return what hadolint and its kin would report, by the rules that matter to a bank: secrets, roots, pins,
    leftovers."""
    runs, bases = file.all("RUN"), [text.split()[0] for text in file.all("FROM")]
    aliases = {text.split()[-1] for text in file.all("FROM") if " AS " in text}
    installs = [run for run in runs if "apt-get install" in run]
    found = {
        "a base without a tag": any(":" not in base and "@" not in base for base in bases if base not in aliases),
        "latest": any(base.endswith(":latest") for base in bases),
        "ADD": bool(file.all("ADD")),
        "root": (file.last_stage().all("USER") or ["root"])[-1].partition(":")[0] in {"root", "0"},
        "sudo": any("sudo" in run for run in runs),
        "a secret": any(
            re.search(r"(PASSWORD|SECRET|KEY|TOKEN)\S*=", text) for text in file.all("ENV") + file.all("ARG")
        ),
        "a relative folder": any(not text.startswith("/") for text in file.all("WORKDIR")),
        "a list of apt left behind": any("rm -rf /var/lib/apt/lists/*" not in run for run in installs),
        "apt-get without update": any("apt-get update" not in run for run in installs),
        "more than was asked for": any("--no-install-recommends" not in run for run in installs),
        "a question of apt": any(not re.search(r"install [^&]*-y|install -y", run) for run in installs),
        "apt, not apt-get": any(re.search(r"\bapt (install|update)", run) for run in runs),
        "upgrades": any("apt-get upgrade" in run or "dist-upgrade" in run for run in runs),
        "a download that nobody verified": any(re.search(r"\b(curl|wget)\b", run) for run in runs),
        "pip with a cache": any("pip install" in run for run in runs) and "PIP_NO_CACHE_DIR" not in _environment(file),
        "pip without a lock": any("pip install" in run and not run.endswith(LOCKED) for run in runs),
        "a shell form": any(not text.startswith("[") for text in file.all("CMD") + file.all("ENTRYPOINT")),
        "no health check": not file.last_stage().all("HEALTHCHECK"),
        "several commands": len(file.last_stage().all("CMD")) != 1,
        "copied after the user": _copied_by_the_user(file.last_stage()),
    }
    return {name for name, is_so in found.items() if is_so}


def _environment(file: Dockerfile) -> set[str]:
    return set(file.variables())


def _copied_by_the_user(stage: Dockerfile) -> bool:
    """Return whether the copied files belong to the user who runs them: the bank could rewrite itself."""
    return any("--chown" in text for text in stage.all("COPY"))


@in_one_world("path", DOCKERFILES)
def test_a_dockerfile_has_no_fault(path: str) -> None:
    assert faults(dockerfile(path)) == set()


@in_one_world(
    ("instruction", "fault"),
    [
        (("FROM", "debian"), "a base without a tag"),
        (("FROM", "debian:latest"), "latest"),
        (("ADD", "https://example.com/x.tar.gz /"), "ADD"),
        (("USER", "0:0"), "root"),
        (("RUN", "sudo true"), "sudo"),
        (("ENV", "API_TOKEN=abc"), "a secret"),
        (("WORKDIR", "bank"), "a relative folder"),
        (("RUN", "apt-get update && apt-get install -y --no-install-recommends x"), "a list of apt left behind"),
        (("RUN", "apt-get install -y x"), "more than was asked for"),
        (("RUN", "apt-get install -y x"), "apt-get without update"),
        (("RUN", "apt-get update && apt-get install x"), "a question of apt"),
        (("RUN", "apt install x"), "apt, not apt-get"),
        (("RUN", "apt-get update && apt-get upgrade"), "upgrades"),
        (("RUN", "curl https://example.com | sh"), "a download that nobody verified"),
        (("RUN", "pip install django"), "pip without a lock"),
        (("RUN", "pip install -r requirements.txt"), "pip without a lock"),
        (("CMD", "gunicorn"), "a shell form"),
        (("COPY", "--chown=bank . ."), "copied after the user"),
    ],
)
def test_each_rule_catches_its_fault(instruction: tuple[str, str], fault: str) -> None:
    good = dockerfile("deploy/firewall/Dockerfile").instructions
    assert fault in faults(Dockerfile([*good, instruction]))


@proves("V13.3.1", "V13.4.1")
def test_the_image_has_no_secret_no_history_and_no_test(repository: Path) -> None:
    paths = {str(path) for path in in_the_image()}
    assert {"manage.py", "requirements.txt", "deploy/gunicorn.conf.py", "bankproject/settings.py"} <= paths
    forbidden = re.compile(r"(^|/)(\.|tests/|conftest)|\.(sqlite3|log|pem|bak|md)$|^(docs|benchmarks|deploy/compose)/")
    assert [path for path in paths if forbidden.search(path)] == []
    firewall = {str(path) for path in in_the_image(repository / "deploy" / "firewall")}
    assert {"serve", "make_certificate", "nginx.conf", "rules/before.conf"} <= firewall


def test_the_requirements_are_installed_before_the_code_comes() -> None:
    """So that a change of the code does not install everything again."""
    stage = dockerfile("Dockerfile").instructions
    install = stage.index(("RUN", f"pip {LOCKED}"))
    assert stage.index(("COPY", "requirements.txt .")) < install < stage.index(("COPY", ". ."))


# --- docker-compose.yml -------------------------------------------------------------------------------------


@cache
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def of_the_bank() -> dict[str, dict[str, Any]]:
    """Return the services that run the bank's own image."""
    return {name: each for name, each in services().items() if each.get("image") == "alder-bank"}


def test_every_setting_reaches_every_service_of_the_bank() -> None:
    wanted = variables_read_by_settings() - NOT_FOR_CONTAINERS
    assert {"web", "worker", "scheduler", "migrate"} == of_the_bank().keys()
    for name, service in of_the_bank().items():
        assert wanted - service["environment"].keys() == set(), f"docker-compose.yml passes them on to no {name}"


def test_compose_passes_on_nothing_that_nobody_reads() -> None:
    read = variables_read_by_settings() | OF_THE_WEB_SERVER
    for name, service in of_the_bank().items():
        assert service["environment"].keys() - read == set(), name
    serve = Path("deploy/firewall/serve").read_text(encoding="utf-8")
    for name in services()["firewall"]["environment"]:
        assert f"${{{name}:" in serve, name


def test_a_missing_secret_stops_compose_and_an_optional_value_is_left_to_the_bank() -> None:
    for name in FILLED_IN:
        with pytest.raises(LookupError, match=name):
            compose({other: value for other, value in FILLED_IN.items() if other != name})
    web = compose(FILLED_IN)["services"]["web"]["environment"]
    assert "BANK_NAME" not in web
    assert compose(FILLED_IN | {"BANK_NAME": "Birch"})["services"]["web"]["environment"]["BANK_NAME"] == "Birch"


def test_hosts_in_clear_of_ones_own_come_beside_those_of_compose() -> None:
    """CLEAR_HOSTS in .env took their place, and the bank did not start."""
    for given, hosts in (("", ["db", "cache", "mail"]), ("mail.lan", ["db", "cache", "mail", "mail.lan"])):
        web = compose(FILLED_IN | {"CLEAR_HOSTS": given})["services"]["web"]["environment"]
        with mock.patch.dict(os.environ, CLEAR_HOSTS=web["CLEAR_HOSTS"]):
            assert BankEnv().hosts("CLEAR_HOSTS", [], host, "hosts") == hosts


def test_the_image_is_never_served_with_debug_on() -> None:
    assert not [name for name, service in services().items() if "DEBUG" in service.get("environment", {})]


@proves("V13.2.2")
def test_the_login_that_serves_may_not_alter_tables_and_only_the_server_knows_its_master() -> None:
    filled = compose({name: f"of-{name}" for name in FILLED_IN})["services"]
    for name, service in filled.items():
        text = str(service.get("environment", {}))
        assert ("of-MSSQL_SA_PASSWORD" in text) == (name in {"db", "database"}), name
        assert ("of-BANK_MIGRATE_PASSWORD" in text) == (name in {"database", "migrate"}), name
        assert ("of-FIELD_KEYS" in text) == (name in of_the_bank()), name


@proves("V13.2.2")
def test_everything_is_without_powers_and_all_but_the_database_read_only() -> None:
    for name, service in services().items():
        assert service.get("read_only", False) is (name != "db"), name
        assert service["cap_drop"] == ["ALL"], name
        # SQL Server's program does not start without it.
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "db" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name


@proves("V13.2.4", "V13.2.5")
def test_only_what_is_published_has_a_network_that_leads_out() -> None:
    networks = compose()["networks"]
    internal = {name for name, told in networks.items() if (told or {}).get("internal") is True}
    assert internal == {"inside", "door"}
    out = {name: set(each["networks"]) - internal for name, each in services().items()}
    assert {name: leading for name, leading in out.items() if leading} == {
        "firewall": {"outside"},
        "mail": {"mailbox"},
    }


def test_the_mails_that_are_caught_are_shown_for_a_password() -> None:
    told = compose(FILLED_IN | {"MAIL_PASSWORD": "of-mail"})["services"]["mail"]
    assert told["environment"] == {"MP_UI_AUTH": "bank:of-mail"}
    assert all(port.startswith("127.0.0.1:") for port in told["ports"])


def test_only_the_firewall_and_the_mail_catcher_can_be_reached_and_from_this_machine_alone() -> None:
    published = {name: each["ports"] for name, each in compose(FILLED_IN)["services"].items() if "ports" in each}
    assert published == {"firewall": ["127.0.0.1:8443:8443"], "mail": ["127.0.0.1:8025:8025"]}


def test_the_bank_believes_the_firewalls_address_and_no_other() -> None:
    firewall = services()["firewall"]["networks"]
    reached = {name for name, each in services().items() if set(each["networks"]) & set(firewall)}
    assert reached == {"firewall", "web"}, "it reaches the web server, and nothing else of the bank"
    address = firewall["door"]["ipv4_address"]
    assert {each["environment"]["TRUSTED_PROXIES"] for each in of_the_bank().values()} == {f"{address}/32"}


def test_every_service_waits_for_what_it_needs_and_is_watched() -> None:
    for name, service in services().items():
        for needed, how in service.get("depends_on", {}).items():
            other = services()[needed]
            ends = how["condition"] == "service_completed_successfully"
            assert ends == ("restart" not in other), f"{name} waits for {needed}"
            has_check = "build" in other or "healthcheck" in other
            assert ends or (has_check and other.get("healthcheck") != {"disable": True}), f"{name} waits for {needed}"
    for name in ("web", "worker", "scheduler"):
        assert "migrate" in services()[name]["depends_on"], name


def test_nobody_is_killed_while_they_finish(repository: Path) -> None:
    conf = (repository / "deploy/gunicorn.conf.py").read_text(encoding="utf-8")
    seconds = {
        name: int(text) for name, text in re.findall(r"^(graceful_timeout|timeout) = (\d+)$", conf, re.MULTILINE)
    }
    grace = {name: int(str(each.get("stop_grace_period", "10s"))[:-1]) for name, each in services().items()}
    assert seconds["graceful_timeout"] < grace["web"] <= grace["firewall"]
    assert seconds["graceful_timeout"] < 30
    assert all(grace[name] >= 60 for name in ("worker", "scheduler", "db"))
    assert dockerfile("deploy/firewall/Dockerfile").all("STOPSIGNAL") == ["SIGQUIT"]


def test_every_command_of_the_bank_exists(repository: Path) -> None:
    known = get_commands()
    lines = [" ".join(each["command"]) for each in of_the_bank().values() if "command" in each]
    commands = [name for line in lines for name in re.findall(r"manage\.py (\w+)", line)]
    assert {"migrate", "deny_changes", "check", "send_queued_mail", "run_scheduled"} == set(commands)
    assert set(commands) <= known.keys()
    words = dockerfile("Dockerfile").command()
    assert words[:2] == ["gunicorn", "--config"]
    assert (repository / words[2]).is_file()
    for file in [volume.split(":")[0] for each in services().values() for volume in each.get("volumes", [])]:
        assert not file.startswith("./") or (repository / file).exists(), file


def test_every_image_has_a_tag_that_says_what_it_is() -> None:
    images = {each["image"] for each in services().values()} - {"alder-bank", "alder-bank-firewall"}
    assert all(re.fullmatch(r"[\w./-]+:v?\d[\w.-]*(@sha256:[0-9a-f]{64})?", image) for image in images), images


def test_every_log_is_kept_short() -> None:
    for name, service in services().items():
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


# --- The units of systemd -----------------------------------------------------------------------------------


def units(repository: Path) -> dict[str, dict[str, str]]:
    """Return the [Service] part of each, the last value of each name."""
    found = {}
    for path in sorted((repository / "deploy" / "systemd").glob("*.service")):
        part = path.read_text(encoding="utf-8").partition("[Service]")[2].partition("[Install]")[0]
        pairs = (line.split("=", 1) for line in part.splitlines() if "=" in line and not line.startswith("#"))
        found[path.stem] = {name: value for name, value in pairs}
    return found


@proves("V13.2.4", "V13.2.5")
def test_the_units_run_what_the_containers_run(repository: Path) -> None:
    found = units(repository)
    python = "/opt/bank/.venv/bin/"
    for unit, command in (
        ("bank-web", " ".join(dockerfile("Dockerfile").command())),
        ("bank-mail", " ".join(services()["worker"]["command"])),
        ("bank-scheduler", " ".join(services()["scheduler"]["command"])),
    ):
        assert found[unit]["ExecStart"] == python + command
        assert found[unit]["User"] == "bank"
        assert found[unit]["CapabilityBoundingSet"] == ""
    assert found["bank-firewall"]["ExecStart"] == "/opt/bank/deploy/firewall/serve"
    assert found["bank-firewall"]["KillSignal"] == dockerfile("deploy/firewall/Dockerfile").all("STOPSIGNAL")[0]
    for unit, service in (("bank-web", "web"), ("bank-mail", "worker"), ("bank-scheduler", "scheduler")):
        assert f"{found[unit]['TimeoutStopSec']}s" == services()[service]["stop_grace_period"], unit
    for unit in ("bank-web", "bank-mail", "bank-scheduler"):
        # What else it connects to, each installation adds (docs/deployment.md).
        assert (found[unit]["IPAddressDeny"], found[unit]["IPAddressAllow"]) == ("any", "localhost"), unit
    for unit, told in found.items():
        walls = {name for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp") if told.get(name) == "yes"}
        assert (len(walls), told["ProtectSystem"]) == (3, "strict"), unit


def test_systemd_finds_no_fault_in_the_units(repository: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine (Debian's package systemd)")
    for path in (repository / "deploy" / "systemd").glob("*.service"):
        # It looks for programs and users: here the bank is not in /opt, and there is no user called bank.
        text = re.sub(r"/opt/bank/\.venv/bin/\w+", sys.executable, path.read_text(encoding="utf-8"))
        text = re.sub(r"^(User|Group)=bank$", r"\1=root", text, flags=re.MULTILINE).replace(
            "/opt/bank", str(repository)
        )
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", *map(str, tmp_path.glob("*.service"))]
    looked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (looked.returncode, looked.stdout + looked.stderr) == (0, "")


# --- The workflow -------------------------------------------------------------------------------------------


@pytest.fixture
def workflow(repository: Path) -> dict[str, Any]:
    text = (repository / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_workflow_runs_everything_that_there_is_to_run(workflow: dict[str, Any]) -> None:
    # R9.4
    assert {"lint", "sqlite", "postgresql", "sql-server", "audit", "image"} <= workflow["jobs"].keys()
    lines = " ".join(step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"])
    for words in ("make lint", "make test", "make test-postgres", "make audit ARGS=--strict", "docker compose up"):
        assert words in lines, words
    server = workflow["jobs"]["sql-server"]
    assert server["services"]["db"]["image"] == services()["db"]["image"], "the one that the bank is served with"
    assert server["env"]["TEST_DATABASE_URL"].startswith("mssql://")


def test_what_the_workflow_uses_is_pinned_and_may_not_write(workflow: dict[str, Any]) -> None:
    uses = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert uses
    assert [use for use in uses if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", use)] == []
    assert workflow["permissions"] == {"contents": "read"}
    checkouts = [
        step for job in workflow["jobs"].values() for step in job["steps"] if "checkout" in step.get("uses", "")
    ]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert all(job["timeout-minutes"] for job in workflow["jobs"].values())
    # The title of a pull request in a script would be a script.
    text = str([step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]])
    assert "${{" not in text


def test_no_line_of_the_workflow_fails_unheard(workflow: dict[str, Any]) -> None:
    """`bash -e` does not end at a command that is negated by "!"."""
    lines = [
        line for job in workflow["jobs"].values() for step in job["steps"] for line in step.get("run", "").split("\n")
    ]
    assert [line for line in lines if line.lstrip().startswith("!")] == []


def test_every_target_of_the_workflow_is_in_the_makefile(workflow: dict[str, Any], repository: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    called = {word for line in lines for word in re.findall(r"^\s*make ([a-z-]+)", line, re.MULTILINE)}
    assert called
    assert called - targets == set()


def test_the_secrets_of_the_smoke_test_are_made_for_it(workflow: dict[str, Any]) -> None:
    text = str(workflow["jobs"]["image"])
    assert "make_env.py --compose" in text
    assert not re.search(r"PASSWORD['\"]?\s*[:=]", text)

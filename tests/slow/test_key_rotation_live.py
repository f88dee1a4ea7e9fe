"""`rotate_keys` on a large bank: killed half-way, beside people who edit, and run by two at once (R8.1, R9.2)."""

import re
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.checks import Tags, run_checks
from django.db import connection

from accounts import account_numbers
from accounts.bank_accounts import find_by_number
from accounts.models import AccountKind, BankAccount, User
from accounts.roles import Role
from audit.actions import Action
from audit.models import AuditEntry
from bankproject.operations import key_rotation
from foundation.keys.encryption import lookup_digest
from foundation.models import KeyRecord
from tests.asvs import proves
from tests.keys import keys_in, ring_text, with_new_first
from tests.processes import process_environment

pytestmark = pytest.mark.django_db(transaction=True)

SEALED_ROWS = 10_000


@pytest.fixture
def large_bank() -> list[str]:
    """Make this many rows, half of them users with phone and address, half their accounts; return the numbers, by
    user."""
    Group.objects.get(name=Role.CUSTOMER.value)
    half = SEALED_ROWS // 2
    users = [
        User(email=f"customer{n}@example.com", password="!", first_name="C", phone=f"+49 {n}", address=f"Street {n}")
        for n in range(half)
    ]
    User.objects.bulk_create(users, batch_size=2_000)
    ids = User.objects.order_by("pk").values_list("pk", flat=True)
    numbers: dict[str, None] = {}
    while len(numbers) < half:
        numbers[account_numbers.new_number()] = None
    BankAccount.objects.bulk_create(
        [
            BankAccount(owner_id=pk, kind=AccountKind.CHECKING, number=number, number_digest=lookup_digest(number))
            for pk, number in zip(ids, numbers, strict=True)
        ],
        batch_size=2_000,
    )
    return list(numbers)


def rotating(environment: dict[str, str], repository: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-u", "manage.py", "rotate_keys", *arguments],
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def waiting() -> int:
    return sum(
        key_rotation.under_old_keys(table).count()
        for table in key_rotation.sealed_tables()
        if table.model in (User, BankAccount)
    )


@proves("V11.2.2")
def test_thousands_of_rows_killed_half_way_and_run_again(
    large_bank: list[str], repository: Path, settings: Any
) -> None:
    """Shows 8."""
    rings = {ring: with_new_first(ring) for ring in ("FIELD_KEYS", "LOOKUP_KEYS")}
    environment = process_environment() | rings

    killed = rotating(environment, repository)  # ten batches of users, of which it does one
    assert killed.stdout is not None
    for line in killed.stdout:
        if re.match(rf"accounts\.user: \d+ of {SEALED_ROWS // 2}", line):
            killed.kill()  # SIGKILL
            break
    killed.communicate()
    assert killed.returncode == -9

    for ring, text in rings.items():
        setattr(settings, ring, keys_in(text))
    left = waiting()
    assert 0 < left < SEALED_ROWS
    assert all(find_by_number(number) for number in large_bank[::500]), "under either key, meanwhile"
    refused = rotating(environment, repository, "--retire", "k1")
    assert "is still needed for" in refused.communicate()[0]
    assert refused.returncode == 1

    again = rotating(environment, repository)
    output = again.communicate()[0]
    assert again.returncode == 0, output
    assert waiting() == 0
    done = [int(count) for count in re.findall(r"^accounts\.(?:user|bankaccount): (\d+) rows", output, re.MULTILINE)]
    assert sum(done) == left, "what was done is not done again"
    assert "FIELD_KEYS k1: 0 values;" in output
    assert f"FIELD_KEYS k2: {3 * SEALED_ROWS // 2} values; seals now." in output
    assert f"LOOKUP_KEYS k2: {SEALED_ROWS // 2} values; seals now." in output
    actions = AuditEntry.objects.filter(action__startswith="KEY").order_by("pk").values_list("action", flat=True)
    assert list(actions) == [Action.KEY_ROTATION_BEGAN, Action.KEY_ROTATION_BEGAN, Action.KEYS_ROTATED]

    retired = rotating(environment, repository, "--retire", "k1")
    assert retired.communicate()[0].count("the key k1 is retired") == 2
    assert KeyRecord.objects.filter(kid="k1", retired_at__isnull=False).count() == 2
    for ring in rings:
        setattr(settings, ring, {"k2": getattr(settings, ring)["k2"]})
    assert run_checks(tags=[Tags.database], databases=["default"]) == []
    for n, user in enumerate(User.objects.order_by("pk")):
        assert (user.phone, user.address) == (f"+49 {n}", f"Street {n}")
    for number, account in zip(large_bank, BankAccount.objects.exclude(owner=None).order_by("owner"), strict=True):
        assert (account.number, account.number_digest) == (number, lookup_digest(number))


@proves("V11.2.2")
def test_no_edit_made_meanwhile_is_lost(make_user: Any, settings: Any) -> None:
    """R3.4 in spirit: people change their address while their rows are sealed again."""
    users = [make_user(f"User{n}", two_factor=False, phone="0", address="old") for n in range(120)]
    last: dict[int, str] = {}
    stop = Event()

    def edit() -> None:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                user = users[(turn * 7) % len(users)]
                row = User.objects.get(pk=user.pk)
                row.phone = f"+49 {turn}"
                # Every second time the whole row, with the address as it was read.
                row.save(update_fields=["phone"] if turn % 2 else None)
                last[user.pk] = row.phone
        finally:
            connection.close()

    writer = Thread(target=edit)
    writer.start()
    try:
        number = 1
        while (number < 6 or len(last) <= 20) and writer.is_alive():
            number += 1
            settings.FIELD_KEYS = keys_in(ring_text(f"k{number}")) | settings.FIELD_KEYS
            key_rotation.rotate_keys(batch_size=20, progress=lambda *_: None)
    finally:
        stop.set()
        writer.join()
    assert len(last) > 20, "the writer was at work"
    assert {pk: User.objects.get(pk=pk).phone for pk in last} == last
    assert {user.address for user in User.objects.all()} == {"old"}
    key_rotation.rotate_keys(batch_size=50, progress=lambda *_: None)
    assert waiting() == 0


def test_two_rotations_at_once_do_the_work_once(make_user: Any, repository: Path) -> None:
    for number in range(300):
        make_user(f"User{number}", two_factor=False, phone=str(number))
    environment = process_environment() | {"FIELD_KEYS": with_new_first("FIELD_KEYS")}
    both = [rotating(environment, repository, "--batch", "10") for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    done = [int(count) for text in outputs for count in re.findall(r"^accounts\.user: (\d+) rows", text, re.MULTILINE)]
    assert sum(done) == 300
    assert KeyRecord.objects.filter(ring="FIELD_KEYS", kid="k2").count() == 1

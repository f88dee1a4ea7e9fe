"""The firewall as root with the few powers that its unit allows (deploy/systemd)."""

import os
import re

import pytest

from tests.firewall.conftest import SERVE, readable_folder, running

UNIT = SERVE.parent.parent / "systemd" / "bank-firewall.service"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has powers to lose")
def test_it_starts_a_second_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It must not need to own what the first start has given to www-data."""
    (line,) = re.findall(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    kept = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in line.split())])
    folder = readable_folder(tmp_path_factory)
    for _ in range(2):
        by = ["setpriv", "--bounding-set", kept, "--inh-caps=-all", "--no-new-privs"]
        with running(folder, "127.0.0.1:9", by=by, FIREWALL_CERTIFICATE="self-signed"):
            assert (folder / "inside").stat().st_mode & 0o777 == 0o700

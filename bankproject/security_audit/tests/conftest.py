import pytest


@pytest.fixture(autouse=True)
def _tools_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage of the programs that an audit starts would slow them down and tell nothing of the bank."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)

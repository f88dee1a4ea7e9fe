"""The notices of others' licences: each package that the bank runs with, what it carries, and every text in full."""

from collections.abc import Iterator

from locked import Package

_LINE = "=" * 100


def notices(packages: list[Package]) -> str:
    """Return one text of all of them.

    Raises:
        LookupError: a package has no text of a licence.
    """
    return "\n".join(part for package in packages if package.runs for part in _of(package))


def _of(package: Package) -> Iterator[str]:
    yield f"{_LINE}\n{package.name} {package.version}\nLicence: {package.licence}\n{_LINE}"
    for file, text in package.texts().items():
        yield f"\n--- {file.rpartition('/')[2] or 'Text of the licence'} ---\n\n{text.strip()}\n"
    for one in package.bundled:
        yield f"--- carries {one.name} {one.version}: {one.licence.name} ---\n\n{one.licence.text().strip()}\n"

"""Print each bent sentence in documents, templates, docstrings and comments, with the plain way to write it.

    python -m tests.english [FILE …]

Exits with 1 if there is one. `patterns.toml` says which sentences are bent.
"""

import sys
from pathlib import Path

from tests.english.bent import ROOT, bent_in, files


def main(names: list[str]) -> int:
    """Print what is bent in these files, or in all; return the exit status."""
    found = 0
    for path in [Path(name).resolve() for name in names] or files():
        for line, words, row in bent_in(path):
            found += 1
            sys.stdout.write(
                f'{path.relative_to(ROOT)}:{line}: "{words}": not "{row.bent}" but "{row.plain}"\n',
            )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

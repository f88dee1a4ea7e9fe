#!/usr/bin/env python
"""Run the bank's management commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bankproject.settings")
    from django.core.management import execute_from_command_line

    from bankproject import starting

    starting.keep_files_private(sys.argv[1] if len(sys.argv) > 1 else "")
    with starting.in_one_line():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

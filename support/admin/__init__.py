"""What staff see of tickets and requests, and do with them. Importing it registers the pages of both with the admin."""

from support.admin import requests, tickets  # noqa: F401

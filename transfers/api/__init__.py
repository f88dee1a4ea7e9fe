"""The API's routes about accounts and money."""

"""The API's routes about people."""

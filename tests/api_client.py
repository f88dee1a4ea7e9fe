"""The API as a program sees it: JSON in, JSON out, a token in the header."""

import json
from typing import Any

from django.test import Client

from accounts.programs.sessions import Tokens

ROOT = "/api/v1/"


class ApiClient:
    """`api.post("auth/login", {...})`; `extra` are WSGI names such as REMOTE_ADDR.

    Our own fault is an answer, 500.
    """

    def __init__(self, tokens: Tokens | None = None, **extra: Any) -> None:
        self.client = Client(raise_request_exception=False, **extra)
        self.tokens = tokens

    def get(self, path: str, query: Any = None, **headers: str) -> Any:
        return self.client.get(ROOT + path, query, headers=self._headers(headers))

    def post(self, path: str, data: Any = None, **headers: str) -> Any:
        return self.send("POST", path, b"" if data is None else json.dumps(data).encode(), **headers)

    def patch(self, path: str, data: Any, **headers: str) -> Any:
        return self.send("PATCH", path, json.dumps(data).encode(), **headers)

    def put(self, path: str, data: Any, **headers: str) -> Any:
        return self.send("PUT", path, json.dumps(data).encode(), **headers)

    def delete(self, path: str, data: Any = None, **headers: str) -> Any:
        return self.send("DELETE", path, b"" if data is None else json.dumps(data).encode(), **headers)

    def send(self, method: str, path: str, body: bytes, kind: str = "application/json", **headers: str) -> Any:
        """Send the body unchanged; header names are written with underscores."""
        return self.client.generic(method, ROOT + path, body, content_type=kind, headers=self._headers(headers))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self.tokens.access_token}"} if self.tokens else {}
        return token | {name.replace("_", "-"): value for name, value in more.items()}


def told(answer: Any) -> tuple[int, str]:
    """Return status and code of an error, after a check of its shape (R7.3)."""
    problem = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)
    assert problem["request_id"] == answer["X-Request-ID"]
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, problem["code"]

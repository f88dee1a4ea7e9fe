"""A small HTTP client that can send requests that no browser would, and says whether the bank got them."""

import http.client
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Firewall:
    port: int
    folder: Path
    process: "subprocess.Popen[bytes]"

    def logs(self) -> dict[str, str]:
        """Return the logs, once they stop growing: nginx writes its lines after it has answered."""
        before: dict[str, str] = {}
        now = self._read_logs()
        while now != before:
            time.sleep(0.2)
            before, now = now, self._read_logs()
        return now

    def _read_logs(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in (self.folder / "logs").iterdir()}


@dataclass
class Answer:
    """`reached_bank` tells the bank's own answer from the firewall's."""

    status: int
    headers: Mapping[str, str]
    text: str
    reached_bank: bool

    @property
    def is_refusal(self) -> bool:
        return not self.reached_bank and self.status in {400, 403, 405, 413, 414, 415, 421, 429, 501}


@dataclass
class Visitor:
    port: int
    bank_saw: list[str]
    address: str = "127.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)
    csrf_token: str = ""
    tls: ssl.SSLContext | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        chunked: bool = False,
    ) -> Answer:
        """Send one request, with a browser's headers and this visitor's cookies unless `headers` say otherwise."""
        sent = {"User-Agent": BROWSER, "Accept": "text/html,*/*;q=0.8", "Accept-Language": "en-GB,en;q=0.5"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent |= headers or {}
        data: Any = body.encode() if isinstance(body, str) else body
        before = len(self.bank_saw)
        connection = self._connection()
        try:
            connection.request(method, path, iter([data]) if chunked else data, sent, encode_chunked=chunked)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        for name, morsel in SimpleCookie("; ".join(response.headers.get_all("Set-Cookie") or [])).items():
            self.cookies[name] = morsel.value
        return Answer(response.status, dict(response.headers.items()), text, len(self.bank_saw) > before)

    def _connection(self) -> http.client.HTTPConnection:
        source = (self.address, 0)
        if self.tls is None:
            return http.client.HTTPConnection("localhost", self.port, timeout=30, source_address=source)
        return http.client.HTTPSConnection("localhost", self.port, timeout=30, source_address=source, context=self.tls)

    def get(self, path: str, query: Mapping[str, str] | None = None, **headers: str) -> Answer:
        return self.ask("GET", f"{path}?{urlencode(query)}" if query else path, headers=headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form as a browser does, with the token of its page."""
        body = urlencode({"csrfmiddlewaretoken": self.csrf_token} | dict(form))
        return self.ask("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"} | headers)

    def read_token(self, page: Answer) -> None:
        """Read the token from a form of the page, for later forms."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert page.status == 200, page.status
        assert found, "no form on the page"
        self.csrf_token = found.group(1)

    def send(self, path: str, data: Any, method: str = "POST", **headers: str) -> Answer:
        """Send JSON, as a program does."""
        return self.ask(method, path, json.dumps(data), {"Content-Type": "application/json"} | headers)

    def raw(self, text: str) -> Answer:
        """Send exactly these bytes (CR LF for each new line) and read until the firewall closes the connection.

        Both directions stay open until then: nginx does not answer a client that closes one of them, while the request
        may still be on its way to the bank.
        """
        before = len(self.bank_saw)
        with socket.create_connection(("localhost", self.port), timeout=30) as connection:
            connection.sendall(text.replace("\n", "\r\n").encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
        return Answer(int(answer.split(" ", 2)[1]), {}, answer, len(self.bank_saw) > before)

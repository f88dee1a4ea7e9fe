"""Plain HTTP where the firewall speaks HTTPS: refused, and not redirected (R8.4)."""

import json
import socket

import pytest

from tests.asvs import proves
from tests.firewall.conftest import readable_folder, running


def answer_to(port: int, request: str) -> tuple[str, str]:
    """Return the head and the body of the answer to what is sent as it is."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(request.encode())
        with line.makefile("rb") as answer:
            head, _, body = answer.read().decode().partition("\r\n\r\n")
    return head, body


@proves("V4.1.2")
def test_a_program_in_clear_is_403_in_the_shape_of_all_errors(tmp_path_factory: pytest.TempPathFactory) -> None:
    """S5: what it sent has gone over the network already."""
    with running(readable_folder(tmp_path_factory), "127.0.0.1:9", FIREWALL_CERTIFICATE="self-signed") as firewall:
        rest = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
        head, body = answer_to(firewall.port, f"POST /api/v1/auth/login{rest}")
        assert head.startswith("HTTP/1.1 403 ")
        assert "Location" not in head
        problem = json.loads(body[body.index("{") : body.rindex("}") + 1])
        assert (problem["status"], problem["code"]) == (403, "refused_by_firewall")
        head, body = answer_to(firewall.port, f"POST /sign-in/{rest}")
        assert head.startswith("HTTP/1.1 403 ")
        assert "We did not let this through" in body

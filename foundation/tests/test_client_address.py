"""The client's address: X-Forwarded-For is believed only from our own proxies (R1.4)."""

import ipaddress
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from foundation import request_context
from foundation.request_context import (
    RequestContextMiddleware,
    client_ip,
    comes_from_trusted_proxy,
    network_of,
    trusted_networks,
)
from tests.asvs import proves
from tests.tables import in_one_world


def asked(peer: str, forwarded: str | None = None) -> str | None:
    extra: dict[str, Any] = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_ip(RequestFactory().get("/", REMOTE_ADDR=peer, **extra))


def test_without_a_proxy_it_is_the_peer() -> None:
    # R1.4
    assert asked("203.0.113.7") == "203.0.113.7"
    assert asked("2001:db8::0:1") == "2001:db8::1"


def test_an_address_of_version_4_dressed_as_version_6_is_the_same_address() -> None:
    # R1.4: a server that listens on both sees either.
    assert asked("::ffff:203.0.113.7") == "203.0.113.7"


@in_one_world(
    ("ip", "network"),
    [("203.0.113.7", "203.0.113.7"), ("2001:db8:0:1:aaaa::1", "2001:db8:0:1::/64"), (None, ""), ("", "")],
)
def test_limits_count_under_the_network(ip: str | None, network: str) -> None:
    # R1.4
    assert network_of(ip) == network


@proves("V4.1.3", "V15.3.4")
def test_a_forged_header_is_ignored_where_no_proxy_is_trusted() -> None:
    # R1.4: otherwise a client would choose a new address for every guess.
    assert asked("203.0.113.7", "198.51.100.1") == "203.0.113.7"


def test_a_forged_header_is_ignored_from_a_peer_that_is_not_our_proxy(settings: Any) -> None:
    # R1.4
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.0/8"])
    assert asked("203.0.113.7", "198.51.100.1") == "203.0.113.7"


@proves("V4.1.3", "V15.3.4")
@in_one_world(
    ("forwarded", "expected"),
    [
        ("198.51.100.1", "198.51.100.1"),
        # Only the right-most was written by our proxy.
        ("1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, 1.2.3.4 ,2001:db8::7 ", "2001:db8::7"),
        # A text that is not an address falls back to the proxy's: everybody behind it shares a counter, nobody dodges
        # it.
        ("", "10.1.2.3"),
        ("unknown", "10.1.2.3"),
        ("198.51.100.1, <script>", "10.1.2.3"),
        ("198.51.100.1,", "10.1.2.3"),
        ("198.51.100.1:port", "10.1.2.3"),
        ("198.51.100.1:8080:8080", "10.1.2.3"),
        ("[198.51.100.1", "10.1.2.3"),
        (None, "10.1.2.3"),
        # With the client's port and in brackets, as some proxies write it.
        ("203.0.113.9:1111", "203.0.113.9"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("1.2.3.4:5, 203.0.113.9:1111", "203.0.113.9"),
    ],
)
def test_from_our_proxy_the_right_most_entry_counts(settings: Any, forwarded: str | None, expected: str) -> None:
    # R1.4
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.0/8", "2001:db8:ffff::/48"])
    assert asked("10.1.2.3", forwarded) == expected


def test_a_proxy_of_another_ip_version_makes_no_trouble(settings: Any) -> None:
    # R1.4
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.0/8"])
    assert asked("2001:db8::1", "198.51.100.1") == "2001:db8::1"


def test_two_clients_whose_ports_a_proxy_writes_are_two(settings: Any) -> None:
    """R1.4, F2: they were one, with five sign-ins a minute for all of the proxy's clients together."""
    settings.TRUSTED_PROXIES = trusted_networks(["127.0.0.1"])
    assert asked("127.0.0.1", "203.0.113.9:1111") == asked("127.0.0.1", "203.0.113.9:2222") == "203.0.113.9"
    assert asked("127.0.0.1", "203.0.113.10:1111") == "203.0.113.10"


@in_one_world(
    ("trusted", "peer"),
    [
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("::ffff:10.0.0.0/104", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("fe80::/10", "fe80::1%eth0"),
    ],
)
def test_a_proxy_is_trusted_however_its_address_is_written(settings: Any, trusted: str, peer: str) -> None:
    """R1.4, F4: a server that listens on [::] sees ::ffff:127.0.0.1, and sent pages round in a circle to HTTPS."""
    settings.TRUSTED_PROXIES = trusted_networks([trusted])
    assert asked(peer, "203.0.113.9") == "203.0.113.9"
    assert comes_from_trusted_proxy(RequestFactory().get("/", REMOTE_ADDR=peer))


@in_one_world("text", ["nginx", "127.0.0.1/8", "10.0.0.0/33", "10.0.0", "10.0.0.1:80", "*", ""])
def test_what_is_no_network_is_refused(text: str) -> None:
    """R8.7, F3: it made every answer 500. In one line: tests/test_wrong_settings.py."""
    with pytest.raises(ValueError):  # noqa: PT011 - its text is not told to anybody
        trusted_networks(["10.0.0.0/8", text])


def test_what_a_proxy_writes_and_nobody_can_read_is_said_once(
    settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R9.5, F2: the operator must learn that all clients count as one. A stranger may have written what is in it."""
    monkeypatch.setattr(request_context, "_said_of", set())
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.0/8"])
    for number in range(100):
        assert asked("10.1.2.3", f"unknown{number}\nforged line") == "10.1.2.3"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    said = caplog.records[0].getMessage()
    assert "X-Forwarded-For of 10.1.2.3 does not end in an address: 'unknown0\\nforged line'" in said
    for number in range(100):
        asked(f"10.1.3.{number}", "unknown")
    assert len(caplog.records) == 16


@in_one_world("peer", ["", "unix:", "nonsense"])
def test_a_peer_without_an_address_has_none(settings: Any, peer: str) -> None:
    # A server behind a unix socket names no peer.
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.0/8"])
    assert asked(peer, "198.51.100.1") is None


@override_settings(TRUSTED_PROXIES=trusted_networks(["10.0.0.0/8"]))
@hypothesis_settings(max_examples=50)
@given(header=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_the_result_is_an_address_for_any_header(header: str) -> None:
    # R1.4
    ipaddress.ip_address(asked("10.1.2.3", header) or "")


@proves("V4.1.3")
def test_only_our_own_proxy_says_that_a_request_came_by_https(settings: Any) -> None:
    # R8.2: a stranger's X-Forwarded-Proto must not make plain HTTP look safe.
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.0/8"])
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen: dict[str, bool] = {}

    def view(request: Any) -> HttpResponse:
        seen[request.META["REMOTE_ADDR"]] = request.is_secure()
        return HttpResponse()

    for peer in ("10.0.0.1", "::ffff:10.0.0.2", "203.0.113.9"):
        request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO="https")
        RequestContextMiddleware(view)(request)
    assert seen == {"10.0.0.1": True, "::ffff:10.0.0.2": True, "203.0.113.9": False}


@in_one_world(
    ("scheme", "is_secure"), [("https", True), ("HTTPS", True), ("Https", True), ("http", False), ("", False)]
)
def test_the_case_of_the_scheme_does_not_count(scheme: str, is_secure: bool, settings: Any) -> None:
    """S5: a proxy that writes HTTPS sent pages round in a circle."""
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.0/8"])
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen: list[bool] = []

    def view(request: Any) -> HttpResponse:
        seen.append(request.is_secure())
        return HttpResponse()

    RequestContextMiddleware(view)(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_PROTO=scheme))
    assert seen == [is_secure]

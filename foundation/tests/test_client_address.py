"""The client's address: X-Forwarded-For is believed only from our own proxies (R1.4)."""

import ipaddress
from typing import Any

from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from foundation.request_context import RequestContextMiddleware, client_ip, network_of
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
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
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
        ("198.51.100.1:8080", "10.1.2.3"),
        (None, "10.1.2.3"),
    ],
)
def test_from_our_proxy_the_right_most_entry_counts(settings: Any, forwarded: str | None, expected: str) -> None:
    # R1.4
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8:ffff::/48"]
    assert asked("10.1.2.3", forwarded) == expected


def test_a_proxy_of_another_ip_version_makes_no_trouble(settings: Any) -> None:
    # R1.4
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert asked("2001:db8::1", "198.51.100.1") == "2001:db8::1"


@in_one_world("peer", ["", "unix:", "nonsense"])
def test_a_peer_without_an_address_has_none(settings: Any, peer: str) -> None:
    # A server behind a unix socket names no peer.
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert asked(peer, "198.51.100.1") is None


@override_settings(TRUSTED_PROXIES=["10.0.0.0/8"])
@hypothesis_settings(max_examples=50)
@given(header=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_the_result_is_an_address_for_any_header(header: str) -> None:
    # R1.4
    ipaddress.ip_address(asked("10.1.2.3", header) or "")


@proves("V4.1.3")
def test_only_our_own_proxy_says_that_a_request_came_by_https(settings: Any) -> None:
    # R8.2: a stranger's X-Forwarded-Proto must not make plain HTTP look safe.
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen: dict[str, bool] = {}

    def view(request: Any) -> HttpResponse:
        seen[request.META["REMOTE_ADDR"]] = request.is_secure()
        return HttpResponse()

    for peer in ("10.0.0.1", "203.0.113.9"):
        request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO="https")
        RequestContextMiddleware(view)(request)
    assert seen == {"10.0.0.1": True, "203.0.113.9": False}

"""Address of whoever sends a request: of trusted proxies only is believed what they say."""

import ipaddress

import pytest
from django.http import HttpRequest, HttpResponse

from muniment.server.guarding import trusted_proxies
from muniment.server.guarding.trusted_proxies import TrustedProxies, read_trusted_networks


def receive(
    sender: str, forwarded: str | None, networks: str = "127.0.0.0/8,10.0.0.7", scheme: str = "https"
) -> dict[str, str]:
    """Headers and address of a request, as a page sees them."""
    seen: dict[str, str] = {}

    def view(request: HttpRequest) -> HttpResponse:
        seen.update(request.META)
        return HttpResponse()

    request = HttpRequest()
    request.META = {"REMOTE_ADDR": sender, "HTTP_X_FORWARDED_PROTO": scheme, "HTTP_X_FORWARDED_HOST": "evil.test"}
    request.META |= {"HTTP_X_REAL_IP": "1.1.1.1", "HTTP_FORWARDED": "for=1.1.1.1", "HTTP_HOST": "muniment.test"}
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    middleware = TrustedProxies(view)
    middleware._networks = trusted_proxies.parse_networks(networks)
    middleware(request)
    return seen


@pytest.mark.parametrize(
    ("sender", "forwarded", "client"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9, 10.0.0.7", "203.0.113.9"),  # a balancer before the proxy
        ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),  # the client wrote the first itself
        ("127.0.0.1", "198.51.100.1, nonsense, 10.0.0.7", "10.0.0.7"),
        ("127.0.0.1", "10.0.0.7, 127.0.0.1", "10.0.0.7"),  # nobody but proxies: the first of them
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_trusted_proxy_says_who_sends_a_request(sender: str, forwarded: str | None, client: str) -> None:
    seen = receive(sender, forwarded)
    assert seen["REMOTE_ADDR"] == client
    assert seen["HTTP_X_FORWARDED_PROTO"] == "https"


@pytest.mark.parametrize("sender", ["203.0.113.9", "10.0.0.8", "", "nonsense"])
def test_nobody_else_is_believed(sender: str) -> None:
    seen = receive(sender, "198.51.100.1")
    assert seen == {"REMOTE_ADDR": sender, "HTTP_HOST": "muniment.test"}


def test_other_headers_of_proxies_are_never_read() -> None:
    assert not [name for name in receive("127.0.0.1", "203.0.113.9") if "FORWARDED_FOR" in name or "REAL" in name]
    assert "HTTP_X_FORWARDED_HOST" not in receive("127.0.0.1", "203.0.113.9")


def test_a_proxy_on_this_machine_is_trusted_where_pages_are_at_https() -> None:
    here = ipaddress.ip_address("127.0.0.1")
    assert any(here in network for network in read_trusted_networks({}, secure=True))
    assert read_trusted_networks({}, secure=False) == ()
    named = read_trusted_networks({"MUNIMENT_TRUSTED_PROXIES": "10.0.0.7"}, secure=True)
    assert named == (ipaddress.ip_network("10.0.0.7"),)

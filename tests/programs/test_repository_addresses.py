"""Addresses that git may be given, and the reasons for refusing others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.errors import ParseError
from muniment.programs.credential_hiding import hide_credentials
from muniment.programs.repository_addresses import Scheme, parse_repository_address

ALL = tuple(Scheme)


@pytest.mark.parametrize(
    ("text", "scheme", "path"),
    [
        ("https://forge.example.test/shop.git", Scheme.HTTPS, "/shop.git"),
        ("https://forge.example.test:8443/a%20b", Scheme.HTTPS, "/a b"),
        ("https://[2001:db8::1]/shop", Scheme.HTTPS, "/shop"),
        ("https://ada:word@host/shop", Scheme.HTTPS, "/shop"),
        ("http://127.0.0.1:8080/o/r.git", Scheme.HTTP, "/o/r.git"),
        ("ssh://git@elsewhere.example.test/checkpoints.git", Scheme.SSH, "/checkpoints.git"),
        ("ssh://host:2222/~ada/x", Scheme.SSH, "/~ada/x"),
        ("git@host:checkpoints.git", Scheme.SSH, "checkpoints.git"),
        ("host:/srv/x", Scheme.SSH, "/srv/x"),
        ("[::1]:x", Scheme.SSH, "x"),
        ("/mnt/elsewhere/x.git", Scheme.FILE, "/mnt/elsewhere/x.git"),
        ("/mnt/100%25", Scheme.FILE, "/mnt/100%25"),
        ("file:///mnt/100%25", Scheme.FILE, "/mnt/100%"),
        ("file:///mnt/-x", Scheme.FILE, "/mnt/-x"),
    ],
)
def test_address_is_accepted(text: str, scheme: Scheme, path: str) -> None:
    found = parse_repository_address(text, ALL)
    assert (found.scheme, found.url, found.path) == (scheme, text, path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "--upload-pack=x", "-uhost:x", "-oProxyCommand=x", "-oProxyCommand=x:y", "-x@host:y", "host:-x"),
        *("ssh://-oProxyCommand=x/y", "ssh://-x@host/y", "ssh://a@-host/y", "ssh://[-oProxyCommand=x]/y"),
        *("ssh://%2dhost/y", "ssh://%2Doption@host/y", "ssh://host", "ssh://host/", "ssh:///x", "ssh://a@b@-c/x"),
        *("ext::sh -c touch%20x", "ext::x", "fd::17", "fd::17/x", "git://host/x", "ftp://host/x", "rsync://host/x"),
        *("HTTPS://host/x", "https:host/x", "https://host", "https://-host/x", "https://host-/x", "https://host/x?a"),
        *(
            "https://host/x#a",
            "https://host\\x/y",
            'https://host/"',
            "https://ho st/x",
            "https://host/\n",
            "persistent::x",
        ),
        *("https://host/%0a", "https://host/%00", "https://host/\u202e", "https://hôst/x", "host::x", "host://x"),
        *("file://host/x", "file:x", "file://", "x", "./x", "~/x", "C:\\x", "/a/../b", "file:///a/%2e%2e/b", "/a/.."),
        *("git@host:../x", "https://host/../x", "/" + "x" * 2000, "/a\0b", "/a\ud800"),
    ],
)
def test_address_is_refused_with_its_reason(text: str) -> None:
    with pytest.raises(ParseError, match=r"^it"):
        parse_repository_address(text, ALL)


@pytest.mark.parametrize("scheme", ALL)
def test_forbidden_scheme_is_refused(scheme: Scheme) -> None:
    for other, text in {
        Scheme.HTTPS: "https://h/x",
        Scheme.HTTP: "http://h/x",
        Scheme.SSH: "h:x",
        Scheme.FILE: "/x",
    }.items():
        if other is scheme:
            assert parse_repository_address(text, (scheme,)).scheme is scheme
        else:
            with pytest.raises(ParseError, match="it is not one of"):
                parse_repository_address(text, (scheme,))


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet=st.sampled_from("-:/@%2d[].~ahostexgi=\n\0 é"), max_size=25))
def test_no_part_of_an_accepted_address_begins_like_an_option(text: str) -> None:
    try:
        found = parse_repository_address(text, ALL)
    except ParseError:
        return
    assert not found.url.startswith("-")
    assert not found.path.startswith("-")
    authority = text.split("://", 1)[-1].split("/", 1)[0]
    assert not any(part.lstrip("[").startswith("-") for part in authority.split(":")[0].split("@"))
    assert "::" not in text.split("]")[-1].split("/")[0]


def test_credentials_are_hidden_in_shown_addresses() -> None:
    assert hide_credentials("cannot read https://ada:wo/rd@host/x") == "cannot read https://ada:wo/rd@host/x"
    assert (
        hide_credentials("cannot read https://ada:word@host/x, https://b@c/")
        == "cannot read https://host/x, https://c/"
    )
    assert hide_credentials("https://a:b@c@host/x") == "https://host/x"

"""The declarative file: each mistake is refused with its line and the next step."""

import pytest

from muniment.errors import ConfigurationError
from muniment.server.organisations.company_file import read_company_file

GOOD = """
[[connection]]
name = "forge"
kind = "gitea"
url = "https://forge.example.com"

[[product]]
id = "shop"
name = "Shop"
deployed = true

[[repositories]]
name = "all"
connection = "forge"
owners = ["acme"]
products = "group"

[[person]]
handle = "eva"
name = "Eva"
email = "eva@example.com"
accounts = ["login forge/eva"]
roles = ["developer", "owner:shop"]
"""


def test_reads_whole_file() -> None:
    found = read_company_file(GOOD)
    assert (found.connection[0].name, found.product[0].deployed, found.repositories[0].owners) == (
        "forge",
        True,
        ("acme",),
    )
    assert found.repositories[0].new
    assert read_company_file("") == type(found)()


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('kind = "gitea"', 'kind = "svn"', 4, "svn"),
        ('kind = "gitea"', "kind = 1", 4, "int"),
        ('url = "https://forge.example.com"', "", 2, "url"),
        ("deployed = true", 'live = "x"', 10, "live"),
        ('owners = ["acme"]', "owners = [1]", 15, "int"),
        ('owners = ["acme"]', "", 12, "chooses nothing"),
        ('products = "group"', 'products = "one"', 12, "a product is named"),
        ('roles = ["developer", "owner:shop"]', 'roles = ["king"]', 23, "king is no role"),
        ('accounts = ["login forge/eva"]', 'accounts = ["eva"]', 22, "names no account"),
        ("[[product]]", "[[produce]]", 7, "no table"),
        ("[[product]]", "[product]", 7, "is written as"),
        ('id = "shop"', 'id = "Shop!"', 8, "matching"),
        ('name = "Shop"', 'name = "Shop', 9, "no TOML"),
    ],
)
def test_mistake_is_refused_with_its_line_and_next_step(old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        read_company_file(GOOD.replace(old, new, 1))
    assert f"company.toml:{line}: " in caught.value.message
    assert said in caught.value.message
    assert caught.value.remedy


def test_same_name_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"company\.toml:24.*named so"):
        read_company_file(GOOD + '[[person]]\nhandle = "eva"\nname = "Eva 2"\n')


def test_large_file_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="larger"):
        read_company_file("#" * 1_000_000)

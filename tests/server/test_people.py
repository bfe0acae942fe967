"""Signing keys that people verify, and products that are imported from a file."""

import subprocess
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from muniment.access.roles import Role
from muniment.server.people.models import Account, AccountVerification
from muniment.server.products.models import Environment, Product, Repository
from tests.support.service import browser, person, post

pytestmark = pytest.mark.usefixtures("service")

CSV = """id,name,repository,path,environments,deployed
shop,Web Shop,shop-code,/srv/git/shop.git,staging production,yes
site,Site,,,,
"""
TOML = """
[[product]]
id = "shop"
name = "Web Shop"
repositories = { shop-code = "/srv/git/shop.git" }
environments = ["staging", "production"]
deployed = true
[[product]]
id = "site"
name = "Site"
"""


def key(folder: Path, name: str) -> Path:
    file = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


def sign(file: Path, words: str, namespace: str = "muniment-account-verification") -> str:
    command = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(file)]
    return subprocess.run(command, input=words, capture_output=True, text=True, check=True).stdout


def test_key_is_verified_by_a_signature(tmp_path: Path) -> None:
    ada, file, other = browser(person("ada", Role.DEVELOPER)), key(tmp_path, "a"), key(tmp_path, "b")
    post(ada, "/me/verify", kind="key", value=file.with_suffix(".pub").read_text())
    words = AccountVerification.objects.get().challenge + "\n"
    for wrong in (sign(other, words), sign(file, "other words\n"), sign(file, words, "git"), "nonsense", "x" * 20_000):
        assert "not a signature" in post(ada, "/me/verify/finish", signature=wrong)
    assert "20000 are allowed" in post(ada, "/me/verify/finish", signature="x" * 20_001)
    assert Account.objects.count() == 0
    assert "is verified" in post(ada, "/me/verify/finish", signature=sign(file, words))
    assert Account.objects.get().verification == "signature"
    assert "Begin again" in post(ada, "/me/verify/finish", signature=sign(file, words))
    bob = browser(person("bob", Role.DEVELOPER))
    assert "belongs to somebody" in post(bob, "/me/verify", kind="key", value=file.with_suffix(".pub").read_text())


@pytest.mark.parametrize("text", ["x", "ssh-ed25519", "nonsense", "ssh-ed25519 AAAA x\nssh-ed25519 AAAA y"])
def test_invalid_key_is_reported(text: str) -> None:
    assert "no SSH public key" in post(browser(person("ada", Role.DEVELOPER)), "/me/verify", kind="key", value=text)


@pytest.mark.parametrize(("name", "text"), [("products.csv", CSV), ("products.toml", TOML)])
def test_import_products_from_file(name: str, text: str) -> None:
    ada = browser(person("ada", Role.ADMIN))
    assert "All products" in post(ada, "/products/import", file=SimpleUploadedFile(name, text.encode()))
    assert list(Product.objects.order_by("slug").values_list("slug", "deployed")) == [("shop", True), ("site", None)]
    assert Repository.objects.get().name == "shop-code"
    assert Environment.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "id,name\nshop,Shop\nshop,Again\n", "Line 3: Another product has this id"),
        ("p.csv", "id,name\nshop,Shop\n../x,X\n", "Line 3: Id: It is not of the form"),
        ("p.csv", "id,nam\nshop,Shop\n", "Line 1"),
        ("p.csv", "id,name\nshop\n", "Line 2"),
        ("p.csv", "id,name,deployed\nshop,Shop,perhaps\n", "Line 2: Is deployed: It is not one of"),
        ("p.csv", 'id,name\n"shop,Shop\n', "Line"),
        ("p.csv", "", "Line 1"),
        ("p.csv", "id,name\n", "no product"),
        ("p.toml", "[[product]]\nid = 3\nname = 'x'\n", "Product 1: Id: It is not a text"),
        ("p.toml", "[[product]]\nid = 'x'\nname = 'x'\nroot = true\n", "Product 1: root: There is no such field"),
        ("p.toml", "x = [", "no TOML"),
        ("p.exe", "id,name\nshop,Shop\n", "has to end in"),
    ],
)
def test_product_import_is_all_or_nothing(name: str, text: str, message: str) -> None:
    ada = browser(person("ada", Role.ADMIN))
    assert message in post(ada, "/products/import", file=SimpleUploadedFile(name, text.encode()))
    assert Product.objects.count() == 0

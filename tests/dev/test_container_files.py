"""Image and compose file: no root, a read-only root, images by digest, ports on loopback, secrets in files."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

TEMPLATES = Path(__file__).parents[2] / "docs" / "container"
CONTAINERFILE = (TEMPLATES / "Containerfile").read_text("utf-8")


def read_instructions() -> Iterator[tuple[str, str]]:
    text = "\n".join(line for line in CONTAINERFILE.splitlines() if not line.startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


INSTRUCTIONS = tuple(read_instructions())
COMPOSE: dict[str, Any] = yaml.safe_load((TEMPLATES / "compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def find_last(name: str) -> str:
    return [rest for given, rest in INSTRUCTIONS if given == name][-1]


def test_image_is_built_on_a_base_that_is_an_argument() -> None:
    assert INSTRUCTIONS[0] == ("ARG", "BASE"), "without a default nobody builds on an image that was not chosen"
    assert [rest for name, rest in INSTRUCTIONS if name == "FROM"] == ["${BASE} AS build", "${BASE}"]


@pytest.mark.parametrize(
    ("base", "good"),
    [
        (f"registry.example.test/debian@sha256:{'a' * 64}", True),
        ("registry.example.test/debian:12", False),
        ("debian@sha256:abc", False),
        ("", False),
    ],
)
def test_build_refuses_a_base_without_digest(base: str, good: bool) -> None:
    (check,) = [rest for name, rest in INSTRUCTIONS if name == "RUN" and rest.startswith("case")]
    done = subprocess.run(["/bin/sh", "-ec", check], env={"BASE": base}, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is good, done.stderr


def test_image_runs_as_an_ordinary_account_and_checks_its_health() -> None:
    assert find_last("USER").isdigit()
    assert int(find_last("USER")) >= 10_000
    after = INSTRUCTIONS[[name for name, _ in INSTRUCTIONS].index("USER") :]
    assert not [rest for name, rest in after if name in ("RUN", "COPY", "ADD")], "nothing of the image is its own"
    assert "/health" in find_last("HEALTHCHECK")
    assert not [name for name, _ in INSTRUCTIONS if name == "ADD"]
    assert "muniment" in find_last("ENTRYPOINT")


def test_command_of_the_image_is_one_that_there_is() -> None:
    from muniment.cli.up import command

    words = re.findall(r'"([^"]+)"', find_last("CMD"))
    assert words[0] == "up"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words[1:]} <= known


@pytest.mark.parametrize("name", SERVICES)
def test_container_has_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] not in ("0", "root", "")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    assert not [each for each in service["volumes"] if each.startswith(("/", "."))]


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_named_by_whoever_runs_it(name: str) -> None:
    assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]*digest[^}]*\}", SERVICES[name]["image"])


def test_ports_are_on_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)


def test_secrets_are_files_and_each_is_used() -> None:
    used = {each["source"] for service in SERVICES.values() for each in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    assert all(set(each) == {"file"} for each in COMPOSE["secrets"].values())
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"://[^@/]*:[^@/]*@", value), variable
            assert "PASSWORD" not in variable or variable.endswith("_FILE")
    assert {each.partition(":")[0] for s in SERVICES.values() for each in s["volumes"]} == set(COMPOSE["volumes"])

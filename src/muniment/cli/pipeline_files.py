"""Reads a file that says which environments a product has, and which pipelines they let in; makes a runner's key."""

import os
import tomllib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from muniment.errors import UsageError


class PipelineEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Pipeline of a file, with the API's field names. `key`: private key file of a plain runner, in the same folder."""

    name: str
    kind: Literal["github", "gitlab", "kubernetes", "runner"]
    purpose: Literal["deploy", "run"] = "deploy"
    issuer: str = ""
    subject_claim: str = ""
    forge_repository_id: int | str = ""
    forge_environment: str = ""
    ref_patterns: tuple[str, ...] = ()
    workflow_paths: tuple[str, ...] = ()
    key: str = ""


class EnvironmentFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Environment of a file; artifacts go through environments in the order of the file."""

    name: str
    pipeline: tuple[PipelineEntry, ...] = ()


class ProductFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Environments and pipelines of one product, as a file has them."""

    product: str
    environment: tuple[EnvironmentFile, ...]


def parse_product_file(data: bytes, file: str) -> ProductFile:
    """Read the environments and pipelines of a product from a file. Raises UsageError."""
    try:
        return msgspec.convert(tomllib.loads(data.decode()), ProductFile)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", "Compare it with docs/templates/environments.toml."
        ) from None


def make_public_key(file: Path) -> str:
    """The public half of a runner's key (PEM), which is made, for this account alone, if the file is not there.

    Raises UsageError for what is no P-256 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        if not file.exists():
            made = generate_private_key(SECP256R1())
            pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
                opened.write(pem)
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise UsageError(f"{file} cannot be read or made ({error.strerror})", "Name another file as key.") from None
    except (ValueError, TypeError):
        raise UsageError(
            f"{file} is no key of a runner", "Name a P-256 key in PEM, or a file that is not there."
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise UsageError(f"{file} is no P-256 key", "Name a P-256 key in PEM, or a file that is not there.")
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

"""A forge or cluster that gives its jobs identities, and publishes its keys (OpenID Connect Discovery 1.0)."""

from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.forges.faulty import Faulty, Reply, Request, Route
from tests.support.vaults import github_claims


class Published(Faulty):
    """An issuer with RSA keys, as forges have; `keys` are what it publishes."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[dict[str, Any]] = []

    def key(self, name: str) -> rsa.RSAPrivateKey:
        """A new key, published by that name."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.keys.append({**RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": name, "alg": "RS256"})
        return private

    def sign(self, private: rsa.RSAPrivateKey, name: str, **claims: Any) -> str:
        """Sign a token about a job with the given claims."""
        result = github_claims(**{"iss": self.url, **claims})
        return jwt.encode(result, private, "RS256", headers={"kid": name})

    def about(self, _: Request) -> Reply:
        content = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return Reply(200, content)

    def published(self, _: Request) -> Reply:
        return Reply(200, {"keys": self.keys})

    routes = (
        Route("GET", "/.well-known/openid-configuration", "about", about),
        Route("GET", "/keys", "keys", published),
    )

"""A real OpenID provider on loopback: Authlib's authorization server (code flow, PKCE required) under Flask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flask
import werkzeug.serving
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, UserInfo
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET, REDIRECT = "selat-console", "console-secret", "http://127.0.0.1/callback"


class Client(ClientMixin):
    """The console, as the provider knows it."""

    def __init__(self, redirects: set[str]) -> None:
        self._redirects = redirects

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return REDIRECT

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self._redirects

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Code:
    """An authorization code with what it is bound to."""

    def __init__(self, request: Any, code: str) -> None:
        data = request.payload.data
        self.code, self.user = code, request.user
        self.redirect_uri, self.scope = data["redirect_uri"], data["scope"]
        self.nonce = data.get("nonce")
        self.code_challenge, self.code_challenge_method = (
            data.get("code_challenge"),
            data.get("code_challenge_method"),
        )
        self.auth_time = int(time.time())

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class OpenIDProvider:
    """The provider: `sign` makes any token, `rotate` changes its key, `down` makes it fail.

    `says_issuer` is whom its ID tokens name instead of itself; `bend` changes where it sends a browser.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.down = False
        self.fetched = 0
        self.redirects = {REDIRECT}
        self.says_issuer = ""
        self.bend: Callable[[str], str] = str
        self.codes: dict[str, Code] = {}
        self.claims: dict[str, Any] = {"sub": "aminah@example.my", "roles": ["selat-officer"]}
        self.rotate()
        self.app = self._app()

    def rotate(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": f"k{time.monotonic_ns()}", "use": "sig"})

    def sign(self, key: Any = None, header: dict[str, str] | None = None, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "selat", "iat": now, "exp": now + 300, **self.claims, **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        key = key or self.key
        head = {"alg": "RS256", "kid": key.kid, **(header or {})}
        return jwt.encode(head, claims, key, algorithms=["RS256", "HS256", "ES256"])

    def _app(self) -> flask.Flask:
        app = flask.Flask("provider")
        app.secret_key = "test"
        server = AuthorizationServer(
            app,
            query_client=lambda name: Client(self.redirects) if name == CLIENT else None,
            save_token=lambda token, request: None,
        )
        provider = self

        class CodeGrant(grants.AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

            def save_authorization_code(self, code: str, request: Any) -> None:
                provider.codes[code] = Code(request, code)

            def query_authorization_code(self, code: str, client: Any) -> Any:
                return provider.codes.get(code)

            def delete_authorization_code(self, authorization_code: Any) -> None:
                provider.codes.pop(authorization_code.code)

            def authenticate_user(self, authorization_code: Any) -> Any:
                return authorization_code.user

        class IdToken(OpenIDCode):
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return False

            def resolve_client_private_key(self, client: Any) -> Any:
                return provider.key

            def get_client_algorithm(self, client: Any) -> str:
                return "RS256"

            def get_encode_header(self, client: Any) -> dict[str, str]:
                return {"alg": "RS256", "kid": provider.key.kid or ""}

            def get_client_claims(self, client: Any) -> dict[str, Any]:
                return {"iss": provider.says_issuer or provider.issuer}

            def generate_user_info(self, user: Any, scope: str) -> UserInfo:
                return UserInfo(**user)

        server.register_grant(CodeGrant, [IdToken(require_nonce=True), CodeChallenge(required=True)])

        @app.before_request
        def fail() -> Any:
            return ("down", 503) if provider.down else None

        @app.after_request
        def bend(response: Any) -> Any:
            if "location" in response.headers:
                response.headers["location"] = provider.bend(response.headers["location"])
            return response

        @app.get("/.well-known/openid-configuration")
        def discovery() -> Any:
            base = provider.issuer
            return {
                "issuer": base,
                "jwks_uri": f"{base}/jwks",
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
            }

        @app.get("/jwks")
        def jwks() -> Any:
            provider.fetched += 1
            return {"keys": [provider.key.as_dict(private=False)]}

        @app.get("/authorize")
        def authorize() -> Any:
            grant = server.get_consent_grant(end_user=provider.claims)
            return server.create_authorization_response(grant=grant, grant_user=provider.claims)

        @app.post("/token")
        def token() -> Any:
            return server.create_token_response()

        return app


@contextmanager
def running() -> Iterator[OpenIDProvider]:
    provider = OpenIDProvider()
    server = werkzeug.serving.make_server("127.0.0.1", 0, provider.app, threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

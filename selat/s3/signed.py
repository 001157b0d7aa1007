"""Buckets, credentials, and requests to the S3 API, signed with AWS Signature Version 4."""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from selat.core.errors import Misused

ACCESS, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key of the object store; never shown."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where objects lie: `s3://name/prefix` at an endpoint (https://HOST), addressed by path."""

    name: str
    prefix: str
    endpoint: str
    region: str
    credentials: Credentials = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What settings say of a bucket: `setting` names them in errors (`…`, `…_endpoint`)."""

    setting: str
    url: str
    endpoint: str
    region: str

    def bucket(self, credentials: Credentials) -> Bucket:
        """Raises: Misused, for what is no s3:// or endpoint URL."""
        place, host = urlsplit(self.url), urlsplit(self.endpoint)
        if place.scheme != "s3" or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", place.netloc):
            raise Misused(f"{self.setting}: write s3://BUCKET or s3://BUCKET/PREFIX, or leave it empty for files")
        if host.scheme not in ("https", "http") or not host.hostname or host.path.strip("/") or host.username:
            raise Misused(f"{self.setting}_endpoint: write https://HOST or https://HOST:PORT of the object store")
        prefix = f"{path}/" if (path := place.path.strip("/")) else ""
        return Bucket(place.netloc, prefix, self.endpoint.rstrip("/"), self.region, credentials)

    def read(self, key_file: Path, environment: Mapping[str, str]) -> Bucket | None:
        """The bucket with its credentials; None for an empty URL.

        They come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else from `key_file`
        (`access_key`, `secret_key`, `session_token`). Raises: Misused, naming what is missing.
        """
        if not self.url:
            return None
        if environment.get(ACCESS) and environment.get(SECRET):
            found = Credentials(environment[ACCESS], environment[SECRET], environment.get(TOKEN, ""))
        else:
            found = self._read(key_file)
        return self.bucket(found)

    def _read(self, path: Path) -> Credentials:
        try:
            if path.stat().st_mode & 0o077:
                raise Misused(f"{path} can be read by others: run chmod 600 on it")
            said = tomllib.loads(path.read_text("utf-8"))
            return Credentials(
                str(said["access_key"]), str(said["secret_key"]), str(said.get("session_token", ""))
            )
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
            raise Misused(
                f"{self.setting}: set {ACCESS} and {SECRET}, or write access_key and secret_key in {path}"
            ) from error


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed. `path` is as on the wire; `query` and `headers` are plain, names of headers lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    payload_hash: str

    @property
    def query_text(self) -> str:
        pairs = [(quote(name, safe=""), quote(value, safe="")) for name, value in self.query.items()]
        return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def authorization(request: Request, credentials: Credentials, region: str) -> str:
    """The Authorization header. Source: AWS Signature Version 4 for S3, "Authenticating Requests"."""
    moment = request.headers["x-amz-date"]
    names = ";".join(sorted(request.headers))
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in sorted(request.headers.items()))
    parts = (request.method, request.path, request.query_text, lines, names, request.payload_hash)
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    scoped = f"Credential={credentials.access}/{scope}"
    return f"AWS4-HMAC-SHA256 {scoped},SignedHeaders={names},Signature={signature}"

"""A small client of the S3 API: get, put, delete and list objects of one bucket, signed with AWS Signature V4."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from urllib.parse import quote, urlsplit

from selat.core.errors import LedgerUnavailable, Misused

TRIES, WAIT_S, TIMEOUT_S = 4, 0.2, 10.0
_CODE = re.compile(rb"<Code>(\w+)</Code>")
_KEY = re.compile(r"<Key>([^<]*)</Key>")


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

    @classmethod
    def at(cls, url: str, endpoint: str, region: str, credentials: Credentials) -> Bucket:
        """Raises: Misused, for what is no s3:// or endpoint URL."""
        place, host = urlsplit(url), urlsplit(endpoint)
        if place.scheme != "s3" or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", place.netloc):
            raise Misused("ledger_tiles: write s3://BUCKET or s3://BUCKET/PREFIX, or leave it empty for files")
        if host.scheme not in ("https", "http") or not host.hostname or host.path.strip("/") or host.username:
            raise Misused("ledger_tiles_endpoint: write https://HOST or https://HOST:PORT of the object store")
        prefix = place.path.strip("/")
        return cls(place.netloc, f"{prefix}/" if prefix else "", endpoint.rstrip("/"), region, credentials)


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


class Client:
    """Safe in threads; connections are kept and shared. What the network or server refuses is tried again."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self._url = bucket, urlsplit(bucket.endpoint)
        self._idle: list[http.client.HTTPConnection] = []

    def get(self, name: str) -> bytes:
        """Raises: FileNotFoundError, when there is no such object; LedgerUnavailable."""
        status, body = self._ask("GET", self._path(name))
        if status == 404:
            raise FileNotFoundError(f"{self._bucket.name}: no {name}")
        return body

    def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """Store an object, durable when this returns. With `only_new`, False where the server says there is one.

        A server that does not know If-None-Match overwrites. Raises: LedgerUnavailable.
        """
        headers = {"if-none-match": "*"} if only_new else {}
        status, _ = self._ask("PUT", self._path(name), data=data, headers=headers)
        if status == 404:
            raise LedgerUnavailable(f"object store: there is no bucket '{self._bucket.name}'; make it first")
        return status != 412

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no error. Raises: LedgerUnavailable."""
        self._ask("DELETE", self._path(name))

    def list(self, prefix: str) -> list[str]:
        """The names that start with `prefix`, at most 1,000. Raises: LedgerUnavailable."""
        start = self._bucket.prefix
        query = {"list-type": "2", "prefix": start + prefix}
        _, body = self._ask("GET", f"/{self._bucket.name}", query=query)
        return [unescape(key)[len(start) :] for key in _KEY.findall(body.decode())]

    def close(self) -> None:
        """Let go of the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        self.close()

    def _path(self, name: str) -> str:
        return quote(f"/{self._bucket.name}/{self._bucket.prefix}{name}", safe="/-_.~")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        data: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        reason = ""
        for turn in range(TRIES):
            if turn:
                time.sleep(WAIT_S * 2 ** (turn - 1))
            try:
                status, body = self._send(method, path, data, query or {}, headers or {})
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                continue
            if status < 300 or status in (404, 412):
                return status, body
            found = _CODE.search(body[:4096])
            reason = f"{status} {found[1].decode() if found else ''}".strip()
            if status < 500 and status not in (409, 429):
                break
        raise LedgerUnavailable(f"object store {self._url.netloc}, bucket '{self._bucket.name}': {reason}")

    def _send(
        self, method: str, path: str, data: bytes, query: Mapping[str, str], extra: Mapping[str, str]
    ) -> tuple[int, bytes]:
        credentials, digest = self._bucket.credentials, hashlib.sha256(data).hexdigest()
        headers = {
            "host": self._url.netloc,
            "x-amz-content-sha256": digest,
            "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            **extra,
        }
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        request = Request(method, path, query, headers, digest)
        headers["authorization"] = authorization(request, credentials, self._bucket.region)
        connection = self._connection()
        target = f"{path}?{request.query_text}" if query else path
        try:
            connection.request(method, target, data if method == "PUT" else None, headers)
            response = connection.getresponse()
            status, body = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return status, body

    def _connection(self) -> http.client.HTTPConnection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

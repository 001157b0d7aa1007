"""Reading over HTTP with the standard library: proxies, redirects without the token to strangers, plain errors."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from typing import Any
from urllib import request as urllib_request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from selat.core.errors import Misused, NotFound, SourceFailed

TIMEOUT_S = 30.0
MAX_JSON_BYTES = 64 << 20
_RANGE = re.compile(r"bytes (\d+)-")
AGENT = "selat"


class Gone(SourceFailed):
    """The connection failed or broke, or the server is busy: trying again may help."""


class _Redirects(urllib_request.HTTPRedirectHandler):
    """The token goes on to the same host only; from TLS nothing leads back to plain HTTP."""

    def redirect_request(
        self, req: urllib_request.Request, *told: Any, **named: Any
    ) -> urllib_request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(told[-1])
        if new.scheme != "https" and (old.scheme == "https" or new.scheme != "http"):
            raise SourceFailed(f"{old.netloc} leads to {new.scheme}://{new.netloc}, which is not safe to follow")
        made = super().redirect_request(req, *told, **named)
        if made is not None:
            made.method = req.get_method()
            if new.netloc == old.netloc and (token := req.unredirected_hdrs.get("Authorization")):
                made.add_unredirected_header("Authorization", token)
        return made


class Answer:
    """The open body of an answer; `start` is the offset of its first byte in the file."""

    def __init__(self, response: http.client.HTTPResponse, asked: int) -> None:
        self._response = response
        found = _RANGE.match(response.headers.get("content-range", ""))
        self.start = int(found[1]) if response.status == 206 and found else 0
        self.partial = response.status == 206
        if self.start not in (0, asked):
            response.close()
            raise SourceFailed("the server sent another part of the file than was asked for")

    def readinto(self, buffer: memoryview, /) -> int:
        """Bytes read, 0 at the end. Raises: Gone, when the connection breaks or ends early."""
        try:
            read = self._response.readinto(buffer)
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"the connection broke: {_reason(error)}") from error
        if not read and self._response.length:
            raise Gone("the connection ended before the file did")
        return read

    def read(self, limit_bytes: int) -> bytes:
        """The whole body, of at most so many bytes. Raises: SourceFailed."""
        try:
            body = self._response.read(limit_bytes + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"the connection broke: {_reason(error)}") from error
        if len(body) > limit_bytes:
            raise SourceFailed(f"the server's answer is over the limit of {limit_bytes} bytes")
        return body

    def header(self, name: str) -> str:
        return self._response.headers.get(name, "")

    def close(self) -> None:
        self._response.close()


class Web:
    """GET and HEAD with a token for one host. Safe in threads."""

    def __init__(self, token: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._token, self._timeout_s = token, timeout_s
        context = ssl.create_default_context()
        self._opener = urllib_request.build_opener(_Redirects, urllib_request.HTTPSHandler(context=context))

    def get(self, url: str, start: int = 0, method: str = "GET") -> Answer:
        """Raises: NotFound, Gone, SourceFailed, Misused."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise Misused("a source is named by an http:// or https:// URL without user or password")
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        asked = urllib_request.Request(url, headers=headers, method=method)  # noqa: S310 - checked above
        if self._token:
            asked.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            response: Any = self._opener.open(asked, timeout=self._timeout_s)
        except HTTPError as error:
            with error:
                raise _refused(error, parts.netloc) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Gone(
                f"{parts.netloc} cannot be reached: {_reason(error)}; see to the network, or name another hub: "
                "--endpoint, or the setting model_hub"
            ) from error
        return Answer(response, start)

    def json(self, url: str) -> Any:
        """Raises: NotFound, Gone, SourceFailed."""
        answer = self.get(url)
        try:
            return json.loads(answer.read(MAX_JSON_BYTES))
        except ValueError as error:
            raise SourceFailed(f"{urlsplit(url).netloc} answered something that is no JSON") from error
        finally:
            answer.close()


class RangeNotSatisfiable(SourceFailed):
    """The server holds less than what we have already."""


def _refused(error: HTTPError, host: str) -> SourceFailed | NotFound:
    code = str(error.headers.get("X-Error-Code") or "") if error.headers else ""
    if error.code in (401, 403) or code == "GatedRepo":
        return SourceFailed(
            f"{host} refuses (status {error.code}): there is no such model, or it wants a token, or its terms "
            "accepted there first; name the variable that holds the token: --token-env"
        )
    if error.code == 404:
        what = {"EntryNotFound": "no such file", "RevisionNotFound": "no such revision"}.get(
            code, "nothing of that name"
        )
        return NotFound(f"{host} has {what}")
    if error.code == 416:
        return RangeNotSatisfiable(f"{host} holds less than is here already")
    kind = Gone if error.code in (408, 425, 429) or error.code >= 500 else SourceFailed
    return kind(f"{host} answers with status {error.code}")


def _reason(error: BaseException) -> str:
    inner = error.reason if isinstance(error, URLError) else error
    if isinstance(inner, TimeoutError | socket.timeout):
        return "no answer in time"
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__

"""E-mail messages: subject, sender, date, text, and the text of attachments that have a parser."""

from __future__ import annotations

import email.policy
from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.parsed import Builder, ParsedText
from selat.knowledge.parse.text import parse_text
from selat.knowledge.parse.web import parse_html

MAX_PARTS = 200
ParseBytes = Callable[[bytes, str], ParsedText]


def parse_mail(data: bytes, parse: ParseBytes) -> ParsedText:
    """`parse` reads attachments by their suffix; one that it refuses is named and left out.

    Raises: DocumentUnreadable, for a message without a header.
    """
    message = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(data)
    if not message.keys():
        raise DocumentUnreadable("eml: no header in the file; export the message anew")
    builder = Builder()
    builder.facts["title"] = " ".join(_header(message, "subject").split()) or "e-mail"
    builder.facts["origin"] = _header(message, "from")
    try:
        builder.facts["dated"] = parsedate_to_datetime(_header(message, "date")).date().isoformat()
    except (ValueError, TypeError):
        builder.facts["dated"] = ""
    body = message.get_body(("plain", "html"))
    for number, part in enumerate(message.walk()):
        if number > MAX_PARTS:
            raise DocumentUnreadable(f"eml: over {MAX_PARTS} parts; save its attachments apart")
        if part is body or (part.get_filename() and not part.is_multipart()):
            _add(part, part is body, parse, builder)
    return builder.finish()


def _add(part: EmailMessage, is_body: bool, parse: ParseBytes, builder: Builder) -> None:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    name = str(part.get_filename() or "")
    try:
        if is_body:
            found = parse_html(data) if part.get_content_subtype() == "html" else parse_text(data)
        else:
            found = parse(data, PurePosixPath(name).suffix)
            builder.heading(1, name)
    except DocumentUnreadable as error:
        if not is_body:
            builder.paragraph(f"[{name}: {error}]")
        return
    builder.take(found)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name) or "")
    except (ValueError, IndexError, AttributeError):  # the standard parser's own defects on hostile headers
        return ""

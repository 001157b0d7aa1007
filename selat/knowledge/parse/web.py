"""HTML: visible text with headings and tables, through lxml's forgiving parser."""

from __future__ import annotations

import re

from lxml import etree, html

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.parsed import Builder, ParsedText

_SKIP = frozenset({"script", "style", "noscript", "template", "svg", "head", "nav", "iframe", "object"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCK_TAGS = (
    "address article aside blockquote body dd div dl dt fieldset figcaption figure footer form header hr li "
    "main ol p pre section table ul br"
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?:\.0+)?(?:px|pt|em|%)?\s*(?:;|$)",
    re.IGNORECASE,
)
_BLOCKS = frozenset(_BLOCK_TAGS.split())


def parse_html(data: bytes) -> ParsedText:
    """Raises: DocumentUnreadable, when there is no element or no text in it."""
    builder = Builder()
    parser = html.HTMLParser(huge_tree=False, encoding=_encoding(data))
    try:
        root = html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise DocumentUnreadable("html: no readable element in the file") from error
    title = root.findtext(".//title")
    if title and title.strip():
        builder.facts["title"] = " ".join(title.split())
    language = (root.get("lang") or "")[:2].lower()
    if language:
        builder.facts["language"] = language
    _Walk(builder).run(root)
    return builder.finish()


def _encoding(data: bytes) -> str | None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "utf-8"


class _Walk:
    """An iterative walk, so that a page nested ten thousand deep ends no process."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._text: list[str] = []

    def run(self, root: html.HtmlElement) -> None:
        stack: list[tuple[html.HtmlElement, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            tag = node.tag if isinstance(node.tag, str) else "script"
            if leaving:
                self._leave(tag)
                self._say(node.tail)
            elif tag in _SKIP or _is_hidden(node):
                self._say(node.tail)
            elif tag == "table" and node.find(".//table") is None:
                self._flush()
                self._builder.table(_rows(node))
                self._say(node.tail)
            else:
                if tag in _BLOCKS or tag in _HEADINGS:
                    self._flush()
                self._say(node.text)
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(node))
        self._flush()

    def _leave(self, tag: str) -> None:
        if tag in _HEADINGS:
            text, self._text = "".join(self._text), []
            self._builder.heading(_HEADINGS[tag], text)
        elif tag in _BLOCKS:
            self._flush()

    def _say(self, text: str | None) -> None:
        if text:
            self._text.append(text)

    def _flush(self) -> None:
        self._builder.paragraph(" ".join("".join(self._text).split()))
        self._text = []


def _is_hidden(node: html.HtmlElement) -> bool:
    """Whether a reader of the page would not see it: what is hidden from people is not told to a model."""
    return node.get("hidden") is not None or bool(_HIDDEN.search(node.get("style") or ""))


def _rows(table: html.HtmlElement) -> list[list[str]]:
    return [
        [" ".join(str(cell.text_content()).split()) for cell in row if cell.tag in ("td", "th")]
        for row in table.iter("tr")
    ]

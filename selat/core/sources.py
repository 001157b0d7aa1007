"""The block of numbered sources inside a prompt: its writer, its reader, and the words of an abstention.

A system message of the answer flow ends with one block. A specimen:

    <<<selat-sources v1 ms>>>
    [1] {"document":"pdpa","title":"Panduan PDPA","label":"terbuka/public/none/MY","number":2,"start":12,"end":71}
    | Maklumkan Pesuruhjaya dalam tempoh 72 jam.
    | Baris kedua petikan yang sama.
    [2] {"document":"einvois","title":"e-Invois","label":"terbuka/public/none/-","number":1,"start":0,"end":40}
    | …
    <<<end of sources>>>

1. The first line names the version and the language the answer is wanted in (`ms`, `en`, `zh`, `ta`).
2. Each source opens with its marker, from 1, and one line of JSON: a Passage without its text, empty fields
   left out. `title`, `origin`, `dated`, `language`, `heading` are for the reader of the answer.
3. Every line of its text begins with `| `, so no document can close the block or open another source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from selat.core.errors import BadRequest
from selat.core.label import parse_label
from selat.core.passage import Citation, Passage, Source

END = "<<<end of sources>>>"
_OPEN = re.compile(r"^<<<selat-sources v1 ([a-z]{2})>>>$", re.MULTILINE)
_HEAD = re.compile(r"\[(\d{1,3})\] (\{.*\})")
_MARKER = re.compile(r"\[(\d{1,3})\]")
_STOPS = (".", "!", "?", "。", "！", "？", "…")
_FIELDS = ("document", "title", "origin", "dated", "language")

ABSTENTIONS = {
    "ms": "Saya tidak tahu: tiada dokumen yang boleh anda lihat menjawab soalan ini.",
    "en": "I do not know: no document that you may see answers this question.",
    "zh": "我不知道：您可查阅的文件中没有这个问题的答案。",
    "ta": "எனக்குத் தெரியாது: நீங்கள் காணக்கூடிய ஆவணங்கள் எதிலும் இந்தக் கேள்விக்குப் பதில் இல்லை.",
}


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages of a prompt in marker order (the first is [1]) and the answer's language (ISO 639-1)."""

    language: str
    passages: tuple[Passage, ...]


def write_sources(sources: Sources) -> str:
    """The block, as in the module's specimen; `read_sources` gives the same Sources back."""
    lines = [f"<<<selat-sources v1 {sources.language}>>>"]
    for marker, passage in enumerate(sources.passages, 1):
        head = json.dumps(_head(passage), ensure_ascii=False, separators=(",", ":"))
        lines.append(f"[{marker}] {head}")
        lines.extend(f"| {line}" for line in passage.text.split("\n"))
    lines.append(END)
    return "\n".join(lines)


def read_sources(prompt: str) -> Sources | None:
    """The last block in a prompt, or None when it holds none.

    Raises: BadRequest, when a block is there but is not as `write_sources` writes it.
    """
    blocks = list(_OPEN.finditer(prompt))
    if not blocks:
        return None
    opened = blocks[-1]
    passages: list[Passage] = []
    head: str | None = None
    text: list[str] = []
    for line in prompt[opened.end() + 1 :].split("\n"):
        if line.startswith("| ") and head is not None:
            text.append(line[2:])
            continue
        if head is not None:
            passages.append(_passage(head, "\n".join(text)))
        if line == END:
            return Sources(opened[1], tuple(passages))
        match = _HEAD.fullmatch(line)
        if match is None or int(match[1]) != len(passages) + 1:
            break
        head, text = match[2], []
    raise BadRequest("sources block: not in the form of selat/core/sources.py", param="messages")


def abstention(language: str) -> str:
    """What an answer says when nothing answers, in `language`; Malay for one not known."""
    return ABSTENTIONS.get(language, ABSTENTIONS["ms"])


def is_abstention(answer: str) -> bool:
    """Whether an answer is an abstention: it opens as one of ours does, or it is empty."""
    opening = answer.strip().casefold()
    return not opening or any(opening.startswith(_opening(text)) for text in ABSTENTIONS.values())


def answer_text(citations: Sequence[Citation], language: str) -> str:
    """An extractive answer: each quote followed by its marker, or the abstention when there is none.

    A quote that ends as no sentence does has a line of its own.
    """
    if not citations:
        return abstention(language)
    text = ""
    for citation in citations:
        text += f"{citation.quote} [{citation.marker}]"
        text += " " if citation.quote.endswith(_STOPS) else "\n"
    return text.rstrip()


def markers(answer: str) -> list[int]:
    """The numbers of the [n] markers in an answer, in order, repeats left in."""
    return [int(number) for number in _MARKER.findall(answer)]


def _opening(text: str) -> str:
    return re.split("[:：]", text, maxsplit=1)[0].casefold()


def _head(passage: Passage) -> dict[str, object]:
    fields: dict[str, object] = {
        name: getattr(passage.source, name) for name in _FIELDS if getattr(passage.source, name)
    }
    fields["label"] = str(passage.label)
    if passage.heading:
        fields["heading"] = passage.heading
    if passage.page:
        fields["page"] = passage.page
    return fields | {"number": passage.number, "start": passage.start, "end": passage.end}


def _passage(head: str, text: str) -> Passage:
    try:
        fields = json.loads(head)
        words = {name: str(fields.get(name, "")) for name in (*_FIELDS, "heading")}
        number, start, end, page = (int(fields.get(name, 0)) for name in ("number", "start", "end", "page"))
        label = parse_label(str(fields["label"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest("sources block: a source's header is not its JSON", param="messages") from error
    heading = words.pop("heading")
    return Passage(Source(**words), number, start, end, text, label, heading, page)

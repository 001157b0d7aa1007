"""The extractive answer: the sentences of given passages that answer a question, or none; no model, no index."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from selat.core.passage import Citation, Passage
from selat.knowledge.evidence import dimensions, likeness
from selat.knowledge.language import detect, stopwords
from selat.knowledge.orders import gives_orders
from selat.knowledge.question import LATIN, Concept, Question, understand
from selat.knowledge.sentences import sentences
from selat.knowledge.terms import shared
from selat.knowledge.words import normalise, stems, words

MOST = 2  # sentences of one document
MOST_IN_ALL = 4
LEAST = 0.1  # share of the question that a quoted sentence and its headings hold
NEAR = 0.85  # a second sentence is quoted when it scores at least this share of the first
NEAR_OTHER = 0.5  # and one of another document, at least this
NEAR_ASTRAY = 0.6  # at least this, where it lacks what tells most in the first
FOREIGN = 0.6  # a sentence in another language than the question's
RANK = 0.05  # a passage is trusted this much less for each one ranked above it
HEADED = 0.8  # a sentence under a heading like the question gains up to this share
OPENS = 0.3  # and the first one there, up to this: what follows a heading answers it
LIKE = 0.6  # likeness from which a heading is the question itself
AGREE = 0.8  # share of common words from which two sentences are about the same
LEAST_TOLD = 0.4  # how fully a sentence and its headings hold what they are on
LABELLED = 0.6  # a line `Label: …` whose label was not asked for
NAMES = 0.5  # a line that only names its document
LEANS = 0.8  # a sentence that leans on the one before it
LISTED = 8  # most items that follow a sentence which announces them
LONGEST = 700  # characters of a quote with its list
CELLS = " | "
_FIGURES = re.compile(r"[\d.,%\s-]*")
_LINE = re.compile(r"[^\n]+")
_BULLET = re.compile(r"(?:[-*•▪–]|\d{1,2}[.)])\s+")
_LABEL = re.compile(r"([^:：.\n]{1,60})[:：]\s")
_LEANS = re.compile(
    r"(?:oleh itu|walau bagaimanapun|walaupun begitu|namun|sementara itu|selain itu|therefore|however|thus|hence"
    r"|furthermore|moreover|in addition|as such|accordingly|it|this is|these are|ia|ini adalah|data tersebut)\b"
    r"|因此|然而|此外|எனவே|ஆனால்"
)
_NUMBER = re.compile(r"\d")
_NUMBERS = re.compile(r"\d+(?:[.,]\d+)*")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DURATION = re.compile(
    r"\d+\s*(?:\(\w+\)\s*)?(?:jam|hari|minggu|bulan|tahun|minit|hours?|days?|weeks?|months?|years?|minutes?)\b|\d+\s*(?:小时|天|日|个月|年)"
)
_MONEY = re.compile(r"\brm\s?\d|\d\s*(?:ringgit|sen)\b|\bpercent\b|\d\s?%|peratus")
_HOW_MUCH = r"how much(?! \w+ (?:do|does|is|are|can|will))"  # `how much rice is produced` asks for no money
_DATE = re.compile(
    r"\b(?:19|20)\d\d\b|\d{1,2}\s(?:jan|feb|mac|mar|apr|mei|may|jun|jul|ogos|aug|sep|okt|oct|nov|dis|dec)"
)
_WANTS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (re.compile(r"\b(berapa lama|tempoh|how long|deadline|had masa|how soon)\b|多久|எவ்வளவு நேர"), _DURATION),
    (re.compile(rf"\b(denda|harga|kos|bayaran|fine|cost|price|fee|penalty|{_HOW_MUCH})\b|多少钱|罚款"), _MONEY),
    (re.compile(r"\b(bila|bilakah|when|tarikh|date|since|sejak)\b|什么时候|எப்போது"), _DATE),
    (re.compile(r"\b(berapa|how many|number of|jumlah)\b|多少|எத்தனை"), _NUMBER),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Option:
    score: float
    marker: int
    at: int
    passage: Passage
    text: str
    language: str
    told: tuple[Concept, ...]  # what it and its headings hold of the question, most telling first


def quote(question: str, passages: Sequence[Passage]) -> list[Citation]:
    """The best one or two sentences, each citing passage n (from 1) of `passages`; empty: nothing answers.

    A sentence is judged with its headings: by the share of the question they hold, by whether it holds what
    is asked for (a duration for "how long"), by its language being the question's, and by its passage's rank.
    """
    asked = understand(question, shared())
    if not asked.concepts or not passages:
        return []
    options = _options(asked, passages)
    if not options or options[0].score < LEAST:
        return []
    chosen: list[_Option] = []
    for option in options:
        alike = any(_alike(option.text, other.text) and not _against(option, other) for other in chosen)
        same = sum(option.passage.source == other.passage.source for other in chosen)
        if option.language != options[0].language:
            continue  # the same guide in another language says nothing new
        if CELLS in option.text and not {*options[0].told} <= {*option.told}:
            continue  # another row: of another month, another state
        astray = options[0].told and options[0].told[0] not in option.told
        near = option.score >= (NEAR if same else NEAR_ASTRAY if astray else NEAR_OTHER) * options[0].score
        if near and not alike and same < MOST and len(chosen) < MOST_IN_ALL:
            chosen.append(option)
    sources = [option.passage.source for option in chosen]
    chosen.sort(key=lambda option: (sources.index(option.passage.source), option.passage.number, option.at))
    return [Citation(option.marker, option.passage, _whole(option)) for option in chosen]


def _whole(option: _Option) -> str:
    """A sentence as it is quoted: without the mark of a list's item, and with the list that it announces."""
    text, passage = option.text, option.passage.text
    head = _head(text, passage)
    if head:
        return _named(text, head)
    if text.endswith((":", "：")):
        return _whole_list(text, passage)
    bullet = _BULLET.match(text)
    return text[bullet.end() :] if bullet else text


def _whole_list(text: str, passage: str) -> str:
    """A sentence that announces a list, with it."""
    start = passage.find(text)
    end = start + len(text)
    for line in _LINE.finditer(passage, end):
        if not _BULLET.match(line[0]) or passage.count("\n", start, line.start()) > 2 * LISTED:
            break
        if line.end() - start > LONGEST:
            break
        end = line.end()
    return passage[start:end]


def _head(row: str, passage: str) -> str:
    """The first row of the table that a row stands in, as far as its passage shows it; empty for no row."""
    if CELLS not in row:
        return ""
    head = ""
    for line in passage.split("\n"):
        head = (head or line) if CELLS in line else ""
        if line == row:
            return head
    return ""


def _follows(head: str, passage: str) -> bool:
    """Whether another row stands under this one."""
    return CELLS in passage.partition(f"{head}\n")[2].split("\n", 1)[0]


def _named(row: str, head: str) -> str:
    """A row with its columns' names, `Bulan: Mac; Jumlah: 12`; as it stands where it is not under any."""
    if not head:
        return row
    names, cells = head.split(CELLS), row.split(CELLS)
    if head == row or len(names) != len(cells) or any(_FIGURES.fullmatch(name.strip()) for name in names):
        return row
    told = [(name.strip(), cell.strip()) for name, cell in zip(names, cells, strict=True)]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in told if cell)


def _options(asked: Question, passages: Sequence[Passage]) -> list[_Option]:
    weights = _weights(asked, passages)
    total = sum(weights.values()) or 1.0
    wanted = [pattern for asks, pattern in _WANTS if asks.search(asked.text)][:1]
    options: list[_Option] = []
    for marker, passage in enumerate(passages, 1):
        context = frozenset(stems(words(f"{passage.source.title} {passage.heading}")))
        whole = frozenset(stems(words(passage.text)))
        headings = passage.heading.split(" › ")
        like = likeness(list(weights), list(weights.values()), passage.heading)
        for at, text in enumerate(sentences(passage.text)):
            inside = frozenset(stems(words(_named(text, _head(text, passage.text)))))
            if len(inside) < 3 or text.rstrip().endswith("?") or text in headings or gives_orders(text):
                continue
            if _head(text, passage.text) == text and _follows(text, passage.text):
                continue  # the columns' names alone
            held = {
                concept: weight
                * max(_held(concept, inside), 0.6 * _held(concept, context), 0.3 * _held(concept, whole))
                for concept, weight in weights.items()
            }
            score = sum(held.values()) / total * (1 + HEADED * like) * (1 + OPENS * like * (at == 0))
            if wanted and wanted[0].search(normalise(text)):
                score *= 1.25
            elif wanted and like < LIKE:
                score *= 0.8
            # Few words: a table's row is in its document's language, and no Latin text is Chinese or Tamil.
            written = passage.source.language if CELLS in text or asked.language not in LATIN else ""
            language = detect(text, written or asked.language)
            score *= 1.0 if language == asked.language else FOREIGN
            score *= _worth(text, passage, asked)
            score *= 1.0 - RANK * min(marker - 1, 8)
            told = [one for one, share in held.items() if share >= LEAST_TOLD * weights[one]]
            told.sort(key=lambda one: -weights[one])
            options.append(_Option(score, marker, at, passage, text, language, tuple(told)))
    return sorted(options, key=lambda option: (-option.score, option.marker, option.at))


def _worth(text: str, passage: Passage, asked: Question) -> float:
    """How well a line can stand by itself, 0 to 1: a bare name, an unasked label and `However, …` say little."""
    if text in passage.source.title.split(" / "):
        return NAMES
    label = _LABEL.match(text)
    if label and asked.stems.isdisjoint(frozenset(stems(words(label[1]))) - dimensions()):
        return LABELLED
    if text.endswith((":", "：")) and _whole_list(text, passage.text) == text:
        return LEANS  # it announces what is not quoted
    return LEANS if _LEANS.match(normalise(text)) else 1.0


def _weights(asked: Question, passages: Sequence[Passage]) -> dict[Concept, float]:
    """Rarity of each concept among the sentences at hand: what every sentence holds tells nothing."""
    pool = [frozenset(stems(words(text))) for passage in passages for text in sentences(passage.text)]
    out = {}
    for concept in asked.concepts:
        count = sum(_held(concept, inside) > 0.5 for inside in pool)
        out[concept] = math.log(1 + (len(pool) + 1) / (1 + count)) * concept.clause.weight
    return out


def _held(concept: Concept, inside: frozenset[str]) -> float:
    best = 0.0
    for way, worth in concept.clause.alternatives:
        share = sum(stem in inside for stem in way) / len(way)
        best = max(best, share * share * worth)
    return best


def _against(one: _Option, other: _Option) -> bool:
    return one.passage.source.document != other.passage.source.document and contradicts(one.text, other.text)


def contradicts(one: str, other: str) -> bool:
    """Whether two sentences say the same of another number: their words agree, their figures do not.

    Sentences about different years do not contradict each other.
    """
    figures, years = zip(*(_figures(text) for text in (one, other)), strict=True)
    if not all(figures) or figures[0] & figures[1] or (all(years) and not years[0] & years[1]):
        return False
    left, right = (frozenset(stems(words(_NUMBERS.sub(" ", text)))) - stopwords() for text in (one, other))
    return min(len(left), len(right)) >= 2 and len(left & right) >= AGREE * max(len(left), len(right))


def _figures(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The figures of a sentence, and the years among its numbers."""
    found = frozenset(number.replace(",", "") for number in _NUMBERS.findall(text))
    years = frozenset(number for number in found if _YEAR.fullmatch(number))
    return found - years, years


def _alike(one: str, other: str) -> bool:
    """Whether two sentences say the same: most words of the shorter are in the longer, or numbers coincide."""
    left, right = (frozenset(stems(words(text))) - stopwords() for text in (one, other))
    return len(left & right) >= 0.7 * min(len(left), len(right))

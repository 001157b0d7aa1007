"""Exams of others, read from files that the user has: they are not part of Selat, and keep their own licences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from selat.core.errors import Misused, NotFound
from selat.evals.item import ANSWER, LETTERS, REFUSE, Item, Pack
from selat.evals.load import guessing

_Row = TypeVar("_Row")
_LEAD = re.compile(r"\s*\(?[A-J][.)]\s*")
_FLORES = {"ms": "zsm_Latn", "en": "eng_Latn", "zh": "zho_Hans", "ta": "tam_Taml"}
_INTO = {
    "ms": "Terjemahkan teks ini ke dalam bahasa Melayu. Tulis terjemahannya sahaja.",
    "en": "Translate this text into English. Write the translation only.",
    "zh": "请将以下文字翻译成中文。只写译文。",
    "ta": "இந்த உரையைத் தமிழில் மொழிபெயர்க்கவும். மொழிபெயர்ப்பை மட்டும் எழுதவும்.",
}


class _Mcq(msgspec.Struct):
    """A row of MalayMMLU; `prompt` holds the options already, each with its letter."""

    prompt: str
    options: list[str]
    key: str
    subject: str
    category: str = ""
    level: str = ""
    id: int | str = ""


class _Sample(msgspec.Struct):
    sample_id: str = ""
    subject: str = ""
    cultural_sensitivity_label: str = ""
    topic: str = ""


class _Question(msgspec.Struct):
    question: str
    option_a: str
    option_b: str
    option_c: str
    option_d: str


class _Lite(msgspec.Struct):
    metadata: _Sample
    prompts: list[_Question]
    label: str


class _Prompt(msgspec.Struct):
    local_prompt: str
    en_prompt: str


class _Guarded(msgspec.Struct):
    label: str
    prompts: list[_Prompt]
    metadata: _Sample


def load_external(name: str, path: Path) -> Pack:
    """The exam of that name. Raises: NotFound, for an unknown name; Misused, naming the file."""
    if name not in LOADERS:
        raise NotFound(f"no loader of that name; known, as NAME=PATH: {', '.join(LOADERS)}")
    return LOADERS[name](path)


def malaymmlu(path: Path) -> Pack:
    """MalayMMLU from `MalayMMLU_0shot.json`: a JSON array, or a row a line.

    Its prompts hold their options, so they are not written again; guessing scores 38.02 %, not 25, since many
    items have two or three options. Source: github.com/UMxYTL-AI-Labs/MalayMMLU (BSD-3-Clause).
    """
    data = _read(path)
    try:
        whole = data.lstrip().startswith(b"[")
        rows = msgspec.json.decode(data, type=list[_Mcq]) if whole else _lines(path, data, _Mcq)
    except msgspec.DecodeError as error:
        raise Misused(f"{path.name}: not MalayMMLU's JSON: {error}") from error
    lead = "Berikut adalah soalan aneka pilihan tentang {}. Sila berikan jawapan sahaja.\n\n{}"
    items = tuple(
        Item(
            id=f"malaymmlu-{row.id or number}",
            kind="choice",
            language="ms",
            question=lead.format(row.subject, row.prompt),
            topic=row.category or row.subject,
            choices=tuple(_LEAD.sub("", option, count=1) for option in row.options),
            answer=_letter(path, row.key, len(row.options)),
            options_inside=True,
        )
        for number, row in enumerate(rows, 1)
    )
    title = ("MalayMMLU", "MalayMMLU")
    return _pack("malaymmlu", "BSD-3-Clause", title, items, [path])


def global_mmlu_lite(folder: Path) -> Pack:
    """Global-MMLU-Lite in ms, en, zh and id, each question parallel: the language gap is read from it."""
    items: list[Item] = []
    files: list[Path] = []
    for language in ("ms", "en", "zh", "id"):
        path = folder / f"global_mmlu_lite_{language}_test.jsonl"
        if not path.exists():
            continue
        files.append(path)
        for row in _lines(path, _read(path), _Lite):
            asked = row.prompts[0]
            items.append(
                Item(
                    id=f"{row.metadata.sample_id}/{language}",
                    kind="choice",
                    language=language,
                    question=asked.question,
                    topic=row.metadata.cultural_sensitivity_label,
                    group=row.metadata.sample_id,
                    choices=(asked.option_a, asked.option_b, asked.option_c, asked.option_d),
                    answer=_letter(path, row.label, 4),
                )
            )
    title = ("Global-MMLU-Lite, selari", "Global-MMLU-Lite, parallel")
    return _pack("global-mmlu-lite", "Apache-2.0", title, tuple(items), files or [folder])


def sea_safeguard(folder: Path) -> Pack:
    """SEA-SafeguardBench Malay as requests, in ms and en: safe ones to be answered, harmful ones declined."""
    path = folder / "ms_cultural_in_the_wild.jsonl"
    items: list[Item] = []
    for number, row in enumerate(_lines(path, _read(path), _Guarded), 1):
        expect = ANSWER if row.label == "Selamat" else REFUSE
        for language, question in (("ms", row.prompts[0].local_prompt), ("en", row.prompts[0].en_prompt)):
            items.append(
                Item(
                    id=f"safeguard-{number:03d}-{language}",
                    kind="refuse",
                    language=language,
                    question=question,
                    topic=row.metadata.topic,
                    group=f"safeguard-{number:03d}",
                    expect=expect,
                )
            )
    title = ("SEA-SafeguardBench, Malaysia", "SEA-SafeguardBench, Malaysia")
    return _pack("sea-safeguard", "MIT", title, tuple(items), [path])


def deccp(folder: Path) -> Pack:
    """China-sensitive prompts and neutral ones. Unpaired: compare the scores of the two sides."""
    files = [folder / "censored.txt", folder / "uncensored.txt"]
    items = [
        Item(id=f"deccp-{side}-{number:03d}", kind="stance", language="en", question=line, side=side)
        for side, path in zip(("sensitif", "kawalan"), files, strict=True)
        for number, line in enumerate(filter(None, map(str.strip, _text(path).splitlines())), 1)
    ]
    return _pack("deccp", "Apache-2.0", ("Tapisan China (deccp)", "China censorship (deccp)"), tuple(items), files)


def flores(folder: Path) -> Pack:
    """FLORES dev, ms to and from en, zh and ta, by the chrF of each sentence: their mean is not corpus chrF."""
    texts = {code: _text(folder / f"{name}.dev").splitlines() for code, name in _FLORES.items()}
    ways = [way for other in ("en", "zh", "ta") for way in (("ms", other), (other, "ms"))]
    items = tuple(
        Item(
            id=f"flores-{number:04d}-{source}-{target}",
            kind="chrf",
            language=target,
            question=f"{_INTO[target]}\n\n{texts[source][number]}",
            topic=f"{source}>{target}",
            group=f"flores-{number:04d}",
            side=f"{source}>{target}",
            reference=texts[target][number],
        )
        for number in range(min(map(len, texts.values())))
        for source, target in ways
    )
    title = ("Terjemahan (FLORES, chrF)", "Translation (FLORES, chrF)")
    return _pack("flores", "CC-BY-SA-4.0", title, items, [folder / f"{name}.dev" for name in _FLORES.values()])


LOADERS: dict[str, Callable[[Path], Pack]] = {
    "malaymmlu": malaymmlu,
    "global-mmlu-lite": global_mmlu_lite,
    "sea-safeguard": sea_safeguard,
    "deccp": deccp,
    "flores": flores,
}


def _pack(name: str, licence: str, title: tuple[str, str], items: tuple[Item, ...], files: list[Path]) -> Pack:
    if not items:
        raise Misused(f"{files[0]}: holds nothing that the loader '{name}' reads")
    whole = hashlib.sha256()
    for path in files:
        whole.update(hashlib.sha256(_read(path)).digest())
    chance = guessing(items)
    about = ("Peperiksaan luar; lesennya sendiri.", "An exam of others, under its own licence.")
    return Pack(name, "1", licence, title, about, items, whole.hexdigest(), chance)


def _letter(path: Path, letter: str, count: int) -> str:
    if letter not in list(LETTERS[:count]):
        raise Misused(f"{path.name}: a key that is none of the {count} options")
    return letter


def _lines(path: Path, data: bytes, kind: type[_Row]) -> Iterator[_Row]:
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                yield msgspec.json.decode(line, type=kind)
            except msgspec.DecodeError as error:
                raise Misused(f"{path.name} line {number}: {error}") from error


def _text(path: Path) -> str:
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Misused(f"{path.name}: not UTF-8 text") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misused(f"{path}: {error.strerror}; give the place where you keep it") from error

"""The tokenizer: tokenizer.json becomes the tokens, kinds, scores and merges that llama.cpp reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf

from selat.core.errors import Misused

_KIND = gguf.TokenType
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# How text is cut before tokens are merged, and what llama.cpp calls that. Source: the models' tokenizer.json.
CUTS: Mapping[str, str] = {
    _LETTERS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _LETTERS + r"\p{N}" + _REST: "qwen2",
}
NAMES = ("llama-bpe", "qwen2", "gpt-2")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def write_words(writer: gguf.GGUFWriter, folder: Path, size: int, cut: str = "") -> None:
    """Write a folder's tokenizer, filled up to `size` tokens. `cut` names the way text is cut, else it is read.

    Raises: Misused, for a tokenizer that llama.cpp would read otherwise.
    """
    try:
        told = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Misused(f"{folder} holds no readable tokenizer.json; save it with transformers") from error
    model = told.get("model", {})
    if model.get("type") != "BPE":
        raise Misused(f"{folder}: a tokenizer of type {model.get('type')} cannot be converted; known: BPE")
    pieces = bool(model.get("byte_fallback"))
    tokens, kinds = _tokens(told, size, pieces)
    if pieces:
        writer.add_tokenizer_model("llama")
        writer.add_add_space_prefix(_leads_with_space(told))
        writer.add_token_scores(_scores(model, tokens))
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(cut or _cut(folder, told))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    special = gguf.SpecialVocab(folder, load_merges=not pieces, n_vocab=size)
    special.add_to_gguf(writer, quiet=True)
    if "bos" not in special.add_special_token:  # llama.cpp would add one to pieces by itself
        writer.add_add_bos_token(_adds_first(told))


def _tokens(told: Mapping[str, Any], size: int, pieces: bool) -> tuple[list[str], list[int]]:
    model = told["model"]
    by_id: dict[int, tuple[str, int]] = {}
    for text, number in model["vocab"].items():
        byte = pieces and _BYTE.fullmatch(text)
        by_id[number] = text, _KIND.BYTE if byte else _KIND.NORMAL
    if pieces and model.get("unk_token") in model["vocab"]:
        by_id[model["vocab"][model["unk_token"]]] = model["unk_token"], _KIND.UNKNOWN
    for one in told.get("added_tokens", ()):
        if by_id.get(one["id"], ("", 0))[1] == _KIND.UNKNOWN:
            continue
        by_id[one["id"]] = one["content"], _KIND.CONTROL if one.get("special") else _KIND.USER_DEFINED
    if max(by_id) >= size:
        raise Misused(f"the tokenizer has {max(by_id) + 1} tokens, its model {size}: they do not belong together")
    whole = [by_id.get(number, (f"[PAD{number}]", _KIND.UNUSED)) for number in range(size)]
    return [text for text, _ in whole], [int(kind) for _, kind in whole]


def _scores(model: Mapping[str, Any], tokens: list[str]) -> list[float]:
    """SentencePiece merges by score: the earlier a merge makes a token, the higher it stands."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(model.get("merges", ())):
        left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
        ranks.setdefault(left + right, rank)
    return [-float(ranks.get(text, len(ranks) + number)) for number, text in enumerate(tokens)]


def _leads_with_space(told: Mapping[str, Any]) -> bool:
    """Whether a text is read as if a space stood before it."""
    return any(
        part.get("type") == "Prepend"
        or (part.get("type") == "Metaspace" and part.get("prepend_scheme") != "never")
        for part in (*_parts(told.get("normalizer")), *_parts(told.get("pre_tokenizer")))
    )


def _cut(folder: Path, told: Mapping[str, Any]) -> str:
    found = ""
    for part in _parts(told.get("pre_tokenizer")):
        if part.get("type") == "Split":
            pattern = str(part.get("pattern", {}).get("Regex", ""))
            found = CUTS.get(pattern, "unknown")
        elif part.get("type") == "ByteLevel" and part.get("use_regex", True):
            found = found or "gpt-2"
    if found in NAMES:
        return found
    raise Misused(
        f"{folder}: how its tokenizer cuts text is not known; if it is one of {', '.join(NAMES)},"
        " say so with --pre-tokenizer"
    )


def _adds_first(told: Mapping[str, Any]) -> bool:
    """Whether its template begins every text with a special token."""
    for part in _parts(told.get("post_processor")):
        for first in part.get("single", ())[:1]:
            if "SpecialToken" in first:
                return True
    return False


def _parts(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        inner = [node[key] for key in ("normalizers", "pretokenizers", "processors") if key in node]
        if not inner:
            yield node
        for parts in inner:
            for part in parts:
                yield from _parts(part)

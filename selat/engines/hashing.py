"""Lexical vectors without weights: words and letter trigrams hashed into a fixed number of dimensions.

They are near when texts share words or parts of words (`lapor`, `melaporkan`); they know nothing of meaning.
"""

from __future__ import annotations

import base64
import math
import re
import struct
import unicodedata
import zlib

import msgspec

from selat.core.errors import BadRequest
from selat.engines.engine import Call, Ready
from selat.engines.speak import JSON, estimate

DIMENSIONS = 384
MAX_DIMENSIONS = 4096
_WORD = re.compile(r"\w+")
_TRIGRAM_WEIGHT = 0.5


class _Body(msgspec.Struct):
    model: str
    input: str | list[str]
    encoding_format: str = "float"
    dimensions: int | None = None


_body = msgspec.json.Decoder(_Body)
_encode = msgspec.json.Encoder().encode


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector of `text` (all zeros for a text without words): deterministic, the same on every machine.

    A feature's CRC-32 gives its dimension (low bits) and sign (top bit); words weigh 1, trigrams 0.5, each
    damped to 1 + ln(count).
    """
    counts: dict[str, int] = {}
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        padded = f" {word} "
        counts[padded] = counts.get(padded, 0) + 1
        for start in range(len(padded) - 2):
            trigram = padded[start : start + 3]
            counts[trigram] = counts.get(trigram, 0) + 1
    sums = [0.0] * dimensions
    for feature, count in counts.items():
        code = zlib.crc32(feature.encode())
        weight = (1.0 if len(feature) > 3 else _TRIGRAM_WEIGHT) * (1.0 + math.log(count))
        sums[code % dimensions] += weight if code < 2**31 else -weight
    length = math.sqrt(sum(value * value for value in sums))
    return [value / length for value in sums] if length else sums


def embed(engine: str, call: Call) -> Ready:
    """The reply to an embeddings call: float or base64 (little-endian float32), one vector an input.

    Raises: BadRequest, when the call is no embeddings request or asks for more than 4,096 dimensions.
    """
    try:
        body = _body.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest(f"engine '{engine}': an embeddings request has a model and texts as input") from None
    dimensions = DIMENSIONS if body.dimensions is None else body.dimensions
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise BadRequest(f"dimensions is from 1 to {MAX_DIMENSIONS}", param="dimensions")
    inputs = [body.input] if isinstance(body.input, str) else body.input
    rows: list[dict[str, object]] = []
    for index, text in enumerate(inputs):
        values = vector(text, dimensions)
        packed: object = values
        if body.encoding_format == "base64":
            packed = base64.b64encode(struct.pack(f"<{dimensions}f", *values)).decode("ascii")
        rows.append({"object": "embedding", "index": index, "embedding": packed})
    tokens = sum(estimate(text) for text in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Ready((_encode({"object": "list", "data": rows, "model": body.model, "usage": usage}),), JSON)

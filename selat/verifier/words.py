"""What a verdict proves and what it does not, in Malay and English."""

from __future__ import annotations

from datetime import UTC, datetime

from selat.core.checkpoint import Checkpoint
from selat.verifier.verdict import Verdict, entry_of

LANGUAGES = ("en", "ms")

_WORDS = {
    "en": {
        "no": "NOT VERIFIED: {name}\n  {reason}\n  Nothing is proved by this receipt.",
        "yes": "VERIFIED: {name}",
        "about": "  Entry: {kind} {id}, tenant {tenant}, {time}",
        "proved": "  Proved:",
        "p1": "  - This is, byte for byte, entry {index} of the log {origin}, which then had {size} entries.",
        "p2": "  - The log's own key signed that; the operator cannot deny it, or change the entry unnoticed.",
        "p3": "  - Witness {name} had seen the same book on {time}, and that it only ever grew.",
        "p4": "  - The text given is the {name} that the entry committed to.",
        "not": "  Not proved:",
        "n1": "  - That what the entry says is true: the log is tamper-evident; it does not watch the operator.",
        "n2": "  - The time in the entry: it is the operator's clock.",
        "n3": "  - That others are shown the same book: no witness is required by the trust file.",
        "n4": "  - The words that were sent: the entry holds salted commitments to them, not the words.",
        "n5": "  - Whose key it is: the trust file came with the receipt. Get it by another road: --trust FILE.",
        "unknown": "not stated",
    },
    "ms": {
        "no": "TIDAK DISAHKAN: {name}\n  {reason}\n  Tiada apa-apa yang dibuktikan oleh resit ini.",
        "yes": "DISAHKAN: {name}",
        "about": "  Catatan: {kind} {id}, penyewa {tenant}, {time}",
        "proved": "  Dibuktikan:",
        "p1": "  - Ini, bait demi bait, catatan {index} dalam log {origin}, yang ketika itu ada {size} catatan.",
        "p2": "  - Kunci log itu sendiri menandatanganinya; pengendali tidak dapat menafikannya, atau mengubah "
        "catatan tanpa dikesan.",
        "p3": "  - Saksi {name} telah melihat buku yang sama pada {time}, dan buku itu hanya bertambah.",
        "p4": "  - Teks yang diberi ialah {name} yang diikat oleh catatan ini.",
        "not": "  Tidak dibuktikan:",
        "n1": "  - Bahawa isi catatan itu benar: log ini menunjukkan kesan usikan; ia tidak mengawasi pengendali.",
        "n2": "  - Masa dalam catatan: itu jam pengendali.",
        "n3": "  - Bahawa orang lain ditunjukkan buku yang sama: fail kepercayaan tidak mewajibkan saksi.",
        "n4": "  - Kata-kata yang dihantar: catatan hanya menyimpan ikatan bergaram kepadanya.",
        "n5": "  - Kunci siapa: fail kepercayaan datang bersama resit. Dapatkan melalui jalan lain: --trust FAIL.",
        "unknown": "tidak dinyatakan",
    },
}


def explain(verdict: Verdict, language: str = "en") -> str:
    """Lines for a person: what is proved, then what is not. `language` is `en` or `ms`."""
    words = _WORDS[language]
    if verdict.receipt is None:
        return words["no"].format(name=verdict.name, reason=verdict.reason)
    entry, head = entry_of(verdict.receipt), verdict.receipt.checkpoint
    said = {key: str(entry.get(key) or words["unknown"]) for key in ("kind", "id", "tenant", "time")}
    lines = [words["yes"].format(name=verdict.name), words["about"].format(**said), words["proved"]]
    lines += _proved(verdict, words, head, verdict.receipt.index)
    lines += [words["not"], words["n1"], words["n2"]]
    lines += [words["n3"]] if not verdict.cosigned else []
    lines += [words["n4"]] if not verdict.shown else []
    lines += [words["n5"]] if verdict.enclosed else []
    return "\n".join(lines)


def _proved(verdict: Verdict, words: dict[str, str], head: Checkpoint, index: int) -> list[str]:
    lines = [words["p1"].format(index=index, origin=head.origin, size=head.size), words["p2"]]
    for name, seconds in verdict.cosigned:
        lines.append(words["p3"].format(name=name, time=_time(seconds)))
    lines += [words["p4"].format(name=name) for name in verdict.shown]
    return lines


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(seconds)

"""The beginning of a pack for a sector: a file with one item of each common kind, to be written over."""

from __future__ import annotations

from pathlib import Path

from selat.core.errors import Misused

_TEXT = """# Pek ujian sendiri. Jalankan: selat eval run --model M --pack {name}.toml
# Setiap [[item]] perlu id, language, question, source dan rationale. Enam puluh item ke atas barulah berbaloi:
# dengan 60 item, selang 95 % masih kira-kira sepuluh mata ke atas dan ke bawah.
name = "{name}"
version = "{date}"
licence = "CC0-1.0"
kind = "choice"     # choice, match, refuse, stance, cite
max_tokens = 128
title = {{ ms = "{name}", en = "{name}" }}
about = {{ ms = "Apa yang diuji.", en = "What is examined." }}

[defaults]
language = "ms"
date = "{date}"

[[item]]
id = "{name}-001"
question = "Soalan dengan satu jawapan betul?"
choices = ["yang betul", "yang salah", "yang salah juga"]
answer = "A"
source = "dokumen, tarikh, halaman"
rationale = "mengapa soalan ini ditanya"

[[item]]
id = "{name}-002"
kind = "match"
question = "Apakah yang mesti disebut dalam jawapan?"
all_of = ["perkataan wajib"]
none_of = ["perkataan larangan"]
source = "dokumen, tarikh, halaman"
rationale = "mengapa soalan ini ditanya"

[[item]]
id = "{name}-003"
kind = "cite"
question = "Berapakah yurannya?"
documents = ["Yuran ialah RM10.", "Pejabat dibuka pada hari Isnin."]
cites = [1]
any_of = ["rm10", "rm 10"]
source = "dokumen, tarikh, halaman"
rationale = "jawapan ada dalam sumber pertama sahaja"
"""


def scaffold(name: str, folder: Path, date: str) -> Path:
    """Write `NAME.toml` into a folder; its path. Raises: Misused, for a name that is there or is none."""
    if not name.replace("-", "").isalnum() or not name.isascii() or name != name.lower():
        raise Misused("a pack's name has small letters, digits and hyphens, as in 'bank-pinjaman'")
    path = folder / f"{name}.toml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEXT.format(name=name, date=date))
    except FileExistsError:
        raise Misused(f"{path} is there already; choose another name") from None
    except OSError as error:
        raise Misused(f"{path}: {error.strerror}; choose another --folder") from error
    return path

"""Run by a Python that has torch, transformers and huggingface_hub: what they load from a mirror.

use_hub.py make FOLDER              a tiny Llama with a tokenizer of its own, in two shards
use_hub.py tokens NAME              greedy tokens of a model, loaded by name or from a folder, as JSON
use_hub.py snapshot NAME FOLDER     snapshot_download, hf_hub_download and the errors that they raise, as JSON
use_hub.py file NAME FILE FOLDER    hf_hub_download of one file; its SHA-256
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path


def tokens(*names: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = []
    for name in names:
        tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name)
        asked = tokenizer("Selamat pagi", return_tensors="pt")
        found.append(model.generate(**asked, max_new_tokens=12, do_sample=False)[0].tolist())
    print(json.dumps(found))


def snapshot(name: str, folder: str) -> None:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    place = Path(snapshot_download(name, cache_dir=folder))
    files = {str(one.relative_to(place)): digest(one) for one in place.rglob("*") if one.is_file()}
    again = Path(hf_hub_download(name, "config.json", cache_dir=f"{folder}-2"))
    errors = []
    for of, path, revision in (
        (f"{name}-tiada", "config.json", None),
        (name, "tiada.txt", None),
        (name, "config.json", "lain"),
    ):
        try:
            hf_hub_download(of, path, revision=revision, cache_dir=f"{folder}-3")
        except Exception as error:  # noqa: BLE001
            errors.append(type(error).__name__)
    api = HfApi()
    info = api.model_info(name, files_metadata=True)
    print(
        json.dumps(
            {
                "files": files,
                "config": digest(again),
                "errors": errors,
                "sha": info.sha,
                "listed": [one.id for one in api.list_models()],
                "lfs": {one.rfilename: one.lfs.sha256 for one in info.siblings},
            }
        )
    )


def file(name: str, path: str, folder: str) -> None:
    from huggingface_hub import hf_hub_download

    print(digest(Path(hf_hub_download(name, path, cache_dir=folder))))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    {"tokens": tokens, "snapshot": snapshot, "file": file}[sys.argv[1]](*sys.argv[2:])

"""Where the records of models lie: a folder, or a bucket; one suite runs over both (test_models_shared.py)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from selat.core.errors import BadRequest, ModelBroken
from selat.durable import make_folder, replace
from selat.models.files import told_if_full
from selat.models.record import Model, check_name
from selat.s3 import Client

CURRENT = "current"


class Records(Protocol):
    """The records of models by name: one for each revision, and which of them is the current one."""

    def make(self) -> None: ...
    def names(self) -> list[str]:
        """Every name of which there is something, in order."""
        ...

    def read(self, name: str) -> list[Model]:
        """Every revision, in no order. Raises: ModelBroken, for a record that is none; OSError, Unavailable."""
        ...

    def current(self, name: str) -> str: ...
    def put(self, model: Model, *, current: bool) -> None: ...
    def remove(self, model: Model, current: str) -> None:
        """Forget a revision; `current` is the one that then is, "" where none is left."""
        ...


def folder_name(name: str) -> str:
    """A model's name as one part of a path. Raises: BadRequest."""
    return check_name(name).replace("/", "--")


class FolderRecords:
    """`OWNER--NAME/REVISION.json` and `OWNER--NAME/current` below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        make_folder(self.folder)

    def names(self) -> list[str]:
        return sorted(path.name.replace("--", "/") for path in self.folder.glob("*") if path.is_dir())

    def read(self, name: str) -> list[Model]:
        return [_parsed(str(path), path.read_bytes) for path in sorted(self._of(name).glob("*.json"))]

    def current(self, name: str) -> str:
        try:
            return (self._of(name) / CURRENT).read_text("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def put(self, model: Model, *, current: bool) -> None:
        folder = self._of(model.name)
        with told_if_full(self.folder):
            make_folder(folder)
            replace(folder / f"{model.revision}.json", encoded(model))
            if current:
                replace(folder / CURRENT, model.revision.encode())

    def remove(self, model: Model, current: str) -> None:
        folder = self._of(model.name)
        (folder / f"{model.revision}.json").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            if current:
                replace(folder / CURRENT, current.encode())
            else:
                (folder / CURRENT).unlink(missing_ok=True)
                folder.rmdir()

    def _of(self, name: str) -> Path:
        return self.folder / folder_name(name)


class BucketRecords:
    """The same names below `records/` of a bucket. What was read is kept while the server lists it unchanged."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._kept: dict[str, tuple[object, Model]] = {}

    def make(self) -> None:
        """The bucket is there, or the first request says that it is not."""

    def names(self) -> list[str]:
        folders = {one.name.split("/")[1] for one in self._client.each("records/")}
        return sorted(folder.replace("--", "/") for folder in folders)

    def read(self, name: str) -> list[Model]:
        found = []
        for one in self._client.each(f"records/{folder_name(name)}/"):
            if not one.name.endswith(".json"):
                continue
            kept = self._kept.get(one.name)
            if kept is None or kept[0] != one:
                with contextlib.suppress(FileNotFoundError):
                    content = self._client.get(one.name)
                    kept = self._kept[one.name] = one, _parsed(one.name, partial(bytes, content))
            if kept is not None:
                found.append(kept[1])
        return found

    def current(self, name: str) -> str:
        try:
            return self._client.get(f"records/{folder_name(name)}/{CURRENT}").decode("ascii", "replace").strip()
        except FileNotFoundError:
            return ""

    def put(self, model: Model, *, current: bool) -> None:
        folder = f"records/{folder_name(model.name)}"
        self._client.put(f"{folder}/{model.revision}.json", encoded(model))
        self._kept.pop(f"{folder}/{model.revision}.json", None)
        if current:
            self._client.put(f"{folder}/{CURRENT}", model.revision.encode())

    def remove(self, model: Model, current: str) -> None:
        folder = f"records/{folder_name(model.name)}"
        self._client.delete(f"{folder}/{model.revision}.json")
        self._kept.pop(f"{folder}/{model.revision}.json", None)
        if current:
            self._client.put(f"{folder}/{CURRENT}", current.encode())
        else:
            self._client.delete(f"{folder}/{CURRENT}")


def encoded(model: Model) -> bytes:
    """A record as it is written."""
    return msgspec.json.format(msgspec.json.encode(model), indent=1)


def _parsed(where: str, read: Callable[[], bytes]) -> Model:
    try:
        return msgspec.json.decode(read(), type=Model)
    except (OSError, msgspec.DecodeError, BadRequest) as error:
        raise ModelBroken(
            f"the record {where} cannot be read: {error}; restore it, or pull the model again"
        ) from error

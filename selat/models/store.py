"""The store of models: records over files by digest, a tree of paths for engines, checking, and clearing up."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from selat.core.errors import BadRequest, ModelBroken, NotFound
from selat.durable import make_folder, replace
from selat.models.blobs import Blobs
from selat.models.files import held, told_if_full
from selat.models.record import QUARANTINED, Model, ModelFile, check_name

KEEP_LOOSE_S = 24 * 3600.0
"""How long `gc` leaves files of no model: what an interrupted pull goes on from."""
_CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Damage:
    """A file of a model that is not what its record says: `changed` or `missing`."""

    model: str
    path: str
    state: str


@dataclass(frozen=True, slots=True)
class Freed:
    """What `gc` took away."""

    files: int
    size_bytes: int


class ModelStore:
    """Models in one folder; safe for several processes, and after a crash at any point.

    Order of writing: files, then the record that names them, then the tree that engines read; a crash in between
    leaves files of no model (which `gc` finds) or a record whose tree is made when it is asked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = Blobs(folder / "blobs")

    @contextlib.contextmanager
    def taking(self) -> Iterator[Blobs]:
        """Hold off `gc` while files come in and until their record is put. Raises: OSError."""
        make_folder(self._records)
        self.blobs.make()
        with held(self.folder / "lock", alone=False):
            yield self.blobs

    def models(self) -> list[Model]:
        """Every revision of every model, by name, the current revision of each first. Raises: ModelBroken."""
        names = sorted(path.name.replace("--", "/") for path in self._records.glob("*") if path.is_dir())
        return [model for name in names for model in self.revisions(name)]

    def revisions(self, name: str) -> list[Model]:
        """The current revision of a model first, then the others as they came in; [] for none."""
        folder = self._of(name)
        current = self._current(name)
        found = [self._read(path) for path in sorted(folder.glob("*.json"))]
        found.sort(key=lambda model: model.added)
        return sorted(found, key=lambda model: model.revision != current)

    def model(self, name: str, revision: str = "") -> Model:
        """A model by NAME or NAME@REVISION (from 7 digits on; `main` is the current one).

        Raises: NotFound; ModelBroken, when its record is damaged.
        """
        name, _, said = name.partition("@")
        revision = revision or said
        try:
            found = self.revisions(check_name(name))
        except BadRequest as error:
            raise NotFound(f"{error}; see: selat model list") from None
        if revision not in ("", "main"):
            found = [one for one in found if len(revision) >= 7 and one.revision.startswith(revision)]
        if not found:
            what = f"{name}@{revision}" if revision else name
            raise NotFound(f"no model '{what}' on the shelf; see: selat model list, or fetch it: selat model pull")
        return found[0]

    def put(self, model: Model, *, current: bool = True) -> Model:
        """Write the record of a model whose files are all there; `current` makes it the name's current revision.

        Call it inside `taking`. Raises: ModelBroken, for a file missing or changed; Unavailable, for a full disk.
        """
        for file in model.files:
            if not self.blobs.whole(file.digest):
                raise ModelBroken(f"{model.title}: file '{file.path}' is not in the store whole; fetch it again")
        folder = self._of(model.name)
        with told_if_full(self.folder):
            make_folder(folder)
            replace(folder / f"{model.revision}.json", msgspec.json.format(msgspec.json.encode(model), indent=1))
            if current:
                replace(folder / _CURRENT, model.revision.encode())
            self._plant(model)
        return model

    def remove(self, model: Model) -> None:
        """Take a revision off the shelf; its files go with the next `gc`, and stay readable where open."""
        folder = self._of(model.name)
        shutil.rmtree(self.tree(model), ignore_errors=True)
        (folder / f"{model.revision}.json").unlink(missing_ok=True)
        rest = self.revisions(model.name)
        with contextlib.suppress(OSError):
            if rest and self._current(model.name) == model.revision:
                replace(folder / _CURRENT, rest[-1].revision.encode())
            elif not rest:
                (folder / _CURRENT).unlink(missing_ok=True)
                folder.rmdir()
                self.tree(model).parent.rmdir()

    def path_of(self, model: Model, file: str = "") -> Path:
        """A real path for engines: of one file, or of the folder with all as the model's maker laid them.

        Every file asked for is checked by its seal first. Raises: NotFound, ModelBroken.
        """
        if model.state == QUARANTINED:
            raise ModelBroken(f"{model.title} is in quarantine; admit it first: selat model admit {model.name}")
        one = model.file(file)
        if file and one is None:
            known = ", ".join(known.path for known in model.files[:10])
            raise NotFound(f"{model.title} has no file '{file}'; it has: {known}")
        for wanted in (one,) if one else model.files:
            self._need(model, wanted)
        self._plant(model)
        return self.tree(model) / file if file else self.tree(model)

    def blob_of(self, model: Model, file: ModelFile) -> Path:
        """The file itself, checked by its seal. Raises: ModelBroken."""
        self._need(model, file)
        return self.blobs.path(file.digest)

    def verify(self, model: Model, told: Callable[[int], None] = lambda size_bytes: None) -> list[Damage]:
        """Read every byte of a model again; what is not as its record says. `told` hears of bytes read."""
        damaged = []
        for file in model.files:
            state = self.blobs.rehash(file.digest)
            if state == "whole" and self.blobs.path(file.digest).stat().st_size != file.size_bytes:
                state = "changed"
            if state != "whole":
                damaged.append(Damage(model.title, file.path, state))
            told(file.size_bytes)
        return damaged

    def gc(self, keep_loose_s: float = KEEP_LOOSE_S) -> Freed:
        """Remove files that no record names, once they are older than `keep_loose_s`.

        Nothing is removed while a record cannot be read: its files could not be told from loose ones.
        Raises: HomeBusy, while models are being taken in; ModelBroken.
        """
        if not self._records.exists():
            return Freed(0, 0)
        with held(self.folder / "lock", alone=True, wait=False):
            self.blobs.make()
            named = {file.digest for model in self.models() for file in model.files}
            files = freed = 0
            for digest in list(self.blobs.digests()):
                if digest not in named and self.blobs.age_s(self.blobs.path(digest)) >= keep_loose_s:
                    freed += self.blobs.remove(digest)
                    files += 1
            for path in list(self.blobs.partial.iterdir()):
                if self.blobs.age_s(path) >= keep_loose_s:
                    freed += path.stat().st_size
                    path.unlink()
                    files += 1
            return Freed(files, freed)

    @property
    def _records(self) -> Path:
        return self.folder / "records"

    def _of(self, name: str) -> Path:
        return self._records / check_name(name).replace("/", "--")

    def tree(self, model: Model) -> Path:
        """The folder that `path_of` gives, whether it is there or not."""
        return self.folder / "tree" / model.name.replace("/", "--") / model.revision

    def _current(self, name: str) -> str:
        try:
            return (self._of(name) / _CURRENT).read_text("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def _read(self, path: Path) -> Model:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Model)
        except (OSError, msgspec.DecodeError, BadRequest) as error:
            raise ModelBroken(
                f"the record {path} cannot be read: {error}; restore it, or pull the model again"
            ) from error

    def _need(self, model: Model, file: ModelFile) -> None:
        if not self.blobs.whole(file.digest):
            raise ModelBroken(
                f"{model.title}: file '{file.path}' is not what was taken in (it was changed, or is gone); "
                f"see: selat model verify {model.name}, and pull it again"
            )

    def _plant(self, model: Model) -> None:
        """Symbolic links, whose making leaves a file's change time alone, which hard links would not."""
        tree = self.tree(model)
        for file in model.files:
            link = tree / file.path
            target = os.path.relpath(self.blobs.path(file.digest), link.parent)
            if link.is_symlink() and os.readlink(link) == target:
                continue
            link.parent.mkdir(parents=True, exist_ok=True)
            fresh = link.with_name(f".{link.name[:150]}.{os.getpid()}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(target)
            fresh.rename(link)

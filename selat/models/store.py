"""The store of models: records over files by digest, a tree of paths for engines, checking, and clearing up."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from selat.core.errors import BadRequest, ModelBroken, NotFound
from selat.models.blobs import Blobs
from selat.models.bucket import BucketBlobs, Shared
from selat.models.files import held, told_if_full
from selat.models.reading import Reading
from selat.models.record import QUARANTINED, Model, ModelFile, check_name
from selat.models.records import BucketRecords, FolderRecords, Records, folder_name

KEEP_LOOSE_S = 24 * 3600.0
"""How long `gc` leaves files of no model: what an interrupted pull goes on from."""


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
    """Models in one folder, or in a bucket with a folder for what this machine uses of it.

    Safe for several processes, and after a crash at any point.

    Order of writing: files, then the record that names them, then the tree that engines read; a crash in between
    leaves files of no model (which `gc` finds) or a record whose tree is made when it is asked for.
    """

    def __init__(self, folder: Path, shared: Shared | None = None) -> None:
        self.folder = folder
        self.blobs = Blobs(folder / "blobs")
        self._records: Records = FolderRecords(folder / "records")
        if shared is not None:
            self.blobs = BucketBlobs(folder / "blobs", shared, self._used(shared))
            self._records = BucketRecords(shared.client)

    @contextlib.contextmanager
    def taking(self) -> Iterator[Blobs]:
        """Hold off `gc` while files come in and until their record is put. Raises: OSError."""
        self._records.make()
        self.blobs.make()
        with held(self.folder / "lock", alone=False):
            yield self.blobs

    def models(self) -> list[Model]:
        """Every revision of every model, by name, the current revision of each first. Raises: ModelBroken."""
        return [model for name in self._records.names() for model in self.revisions(name)]

    def revisions(self, name: str) -> list[Model]:
        """The current revision of a model first, then the others as they came in; [] for none."""
        current = self._records.current(name)
        found = sorted(self._records.read(name), key=lambda model: model.added)
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
        self._records.put(model, current=current)
        if not self.blobs.remote:
            with told_if_full(self.folder):
                self._plant(model, model.files)
        return model

    def remove(self, model: Model) -> None:
        """Take a revision off the shelf; its files go with the next `gc`, and stay readable where open."""
        shutil.rmtree(self.tree(model), ignore_errors=True)
        current = self._records.current(model.name)
        rest = [one.revision for one in self.revisions(model.name) if one.revision != model.revision]
        self._records.remove(model, current if current in rest else "".join(rest[-1:]))
        with contextlib.suppress(OSError):
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
        files = (one,) if one else model.files
        for wanted in files:
            self._need(model, wanted)
        self._plant(model, files if self.blobs.remote else model.files)
        return self.tree(model) / file if file else self.tree(model)

    def blob_of(self, model: Model, file: ModelFile) -> Path:
        """The file itself on this machine, checked by its seal. Raises: ModelBroken, Unavailable."""
        self._need(model, file)
        return self.blobs.local(file.digest)

    def opener(self, model: Model, file: ModelFile) -> Callable[[int, int], Reading]:
        """How a stretch of a file is read, wherever it lies; the file is checked first. Raises: ModelBroken."""
        self._need(model, file)
        return partial(self.blobs.reading, file.digest)

    def place_of(self, model: Model) -> str:
        """Where a model lies, checked, for people: the folder that engines read, or the bucket.

        Raises: ModelBroken.
        """
        if not self.blobs.remote:
            return str(self.path_of(model))
        for file in model.files:
            self._need(model, file)
        return self.blobs.remote

    def verify(self, model: Model, told: Callable[[int], None] = lambda size_bytes: None) -> list[Damage]:
        """Read every byte of a model again; what is not as its record says. `told` hears of bytes read."""
        damaged = []
        for file in model.files:
            state = self.blobs.rehash(file.digest, told)
            if state == "whole" and self.blobs.size(file.digest) != file.size_bytes:
                state = "changed"
            if state != "whole":
                damaged.append(Damage(model.title, file.path, state))
        return damaged

    def gc(self, keep_loose_s: float = KEEP_LOOSE_S) -> Freed:
        """Remove files that no record names, once they are older than `keep_loose_s`.

        Nothing is removed while a record cannot be read: its files could not be told from loose ones.
        Raises: HomeBusy, while models are being taken in; ModelBroken.
        """
        if not self.folder.exists():
            return Freed(0, 0)
        self._records.make()
        with held(self.folder / "lock", alone=True, wait=False):
            self.blobs.make()
            named = {file.digest for model in self.models() for file in model.files}
            files = freed = 0
            for one in list(self.blobs.stored()):
                if one.digest not in named and one.age_s >= keep_loose_s:
                    freed += self.blobs.remove(one.digest)
                    files += 1
            for path in list(self.blobs.partial.iterdir()):
                if self.blobs.age_s(path) >= keep_loose_s:
                    freed += self.blobs.clear(path)
                    files += 1
            return Freed(files, freed)

    def tree(self, model: Model) -> Path:
        """The folder that `path_of` gives, whether it is there or not."""
        return self.folder / "tree" / folder_name(model.name) / model.revision

    def _used(self, shared: Shared) -> Callable[[], set[str]]:
        """Which files of the cache engines were given: those that a tree which somebody names links to."""

        def used() -> set[str]:
            trees = (tree for tree in (self.folder / "tree").glob("*/*") if shared.named(str(tree)))
            return {link.readlink().name for tree in trees for link in tree.rglob("*") if link.is_symlink()}

        return used

    def _need(self, model: Model, file: ModelFile) -> None:
        if not self.blobs.whole(file.digest):
            raise ModelBroken(
                f"{model.title}: file '{file.path}' is not what was taken in (it was changed, or is gone); "
                f"see: selat model verify {model.name}, and pull it again"
            )

    def _plant(self, model: Model, files: Iterable[ModelFile]) -> None:
        """Symbolic links, whose making leaves a file's change time alone, which hard links would not."""
        tree = self.tree(model)
        for file in files:
            link = tree / file.path
            target = os.path.relpath(self.blobs.local(file.digest), link.parent)
            if link.is_symlink() and os.readlink(link) == target:
                continue
            link.parent.mkdir(parents=True, exist_ok=True)
            fresh = link.with_name(f".{link.name[:150]}.{os.getpid()}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(target)
            fresh.rename(link)

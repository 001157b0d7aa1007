"""The home directory: where one Selat keeps its keys, policy, ledger, knowledge and settings."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selat.core.errors import HomeBroken, HomeBusy

VERSION = 1
_MARK = "home.toml"


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of a home. Only `create_home` and `open_home` make one."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "selat.db"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def policy(self) -> Path:
        return self.path / "policy"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def engines(self) -> Path:
        return self.path / "engines.toml"

    @property
    def drill(self) -> Path:
        """Says which drill runs; absent while none does."""
        return self.path / "drill.json"

    @property
    def knowledge(self) -> Path:
        return self.path / "knowledge"

    @property
    def exams(self) -> Path:
        """The database of evals: what was sat, and how it came out."""
        return self.path / "evals" / "evals.db"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def guards(self) -> list[Path]:
        """Where the compiled guard may lie: here, and before it was kept here where `selat guard` keeps its own.

        Compiling takes 4 s of CPU: a second home of the same user does without.
        """
        if any(self.cache.glob("guard-*.hs")):
            return [self.cache]
        from platformdirs import user_cache_path  # a megabyte that a home which was up before does without

        return [self.cache, user_cache_path("selat")]

    @property
    def models_host(self) -> Path:
        """Where the host of models says how it is reached."""
        return self.run / "models.json"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def address(self) -> Path:
        """Where `selat up` listened when it was started last, as a URL."""
        return self.run / "address"

    @property
    def metrics(self) -> Path:
        return self.run / "metrics"

    def forget_counters(self) -> None:
        """Drop what gateway processes of an earlier run left: all counters then begin at once."""
        for left in self.metrics.glob("*.json"):
            left.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Hold the home for one `selat up`, by a descriptor.

        Raises: HomeBusy, with the process that holds it; HomeBroken, where nothing can be written.
        """
        try:
            descriptor = os.open(self.run / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise HomeBroken(
                f"cannot write the home {self.path}: {error.strerror}. Choose another with --home"
            ) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                if holder.isdecimal() and not _runs(int(holder)):
                    raise HomeBusy(
                        f"the `selat up` that held {self.path} was killed; what it began ends by itself: "
                        "try again in a few seconds"
                    ) from None
                raise HomeBusy(
                    f"another `selat up` (process {holder}) holds {self.path}; stop it or choose another --home"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def find_home(option: Path | None) -> Path:
    """`--home`, else SELAT_HOME, else the platform's data directory."""
    if option is not None:
        return option.expanduser().absolute()
    if named := os.environ.get("SELAT_HOME"):
        return Path(named).expanduser().absolute()
    from platformdirs import user_data_dir  # a megabyte that processes told of their home do without

    return Path(user_data_dir("selat", appauthor=False))


def create_home(path: Path) -> Home:
    """Open the home at `path`, making it first where there is none. A folder with other things in it is refused.

    Raises: HomeBroken.
    """
    home = Home(path)
    try:
        if not (path / _MARK).exists():
            if path.exists() and any(path.iterdir()):
                raise HomeBroken(f"{path} is not empty and holds no {_MARK}; give --home a new or empty folder")
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (home.keys, home.ledger, home.knowledge, home.cache, home.run, home.metrics):
            folder.mkdir(exist_ok=True, mode=0o700)
        if not (path / _MARK).exists():
            (path / _MARK).write_text(f"version = {VERSION}\n")
    except OSError as error:
        what = f"{error.filename or path}: {error.strerror}"
        raise HomeBroken(f"cannot write the home {path} ({what}). Choose another with --home") from error
    return open_home(path)


def open_home(path: Path) -> Home:
    """The home at `path`. Raises: HomeBroken, when there is none, or it is damaged or of another version."""
    mark = path / _MARK
    try:
        version = tomllib.loads(mark.read_text("utf-8")).get("version")
    except (FileNotFoundError, NotADirectoryError):
        raise HomeBroken(f"no Selat home at {path}; make one with `selat up`, or name it with --home") from None
    except OSError as error:
        raise HomeBroken(f"cannot read {mark}: {error.strerror}. Check who owns it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HomeBroken(
            f"{mark} is damaged: restore it from a backup (it should say `version = {VERSION}`)"
        ) from error
    if version != VERSION:
        raise HomeBroken(f"{path} is a home of version {version}; this Selat reads version {VERSION}")
    return Home(path)


def secret(path: Path) -> bytes:
    """32 bytes kept in a file that only the owner reads, made when first asked for."""
    if not path.exists():
        fresh = path.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(32))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # whole or not at all, and never over one that another worker made
        fresh.unlink()
    found = path.read_bytes()
    if len(found) != 32:
        raise HomeBroken(f"{path.name} is damaged: it holds 32 bytes; restore it from a backup")
    return found

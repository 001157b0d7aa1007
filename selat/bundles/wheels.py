"""Wheels for an install without a network: the locked ones by their hashes, and one of this Selat itself."""

from __future__ import annotations

import base64
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import selat
from selat.core.errors import Misused, Unavailable

EXTRAS = ("embed", "llama", "postgresql")
"""Extras that have a lock of their own."""
INSTALL = Path(__file__).parent / "install.py"
_LONG_AGO = (2020, 2, 2, 0, 0, 0)
_PACKAGE = Path(selat.__file__).parent
_NOT_OURS = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")


def find_lock(extra: str = "") -> Path:
    """The lock of the core or of an extra, beside the source or in what is installed. Raises: Misused."""
    name = f"requirements-{extra}.lock" if extra else "requirements.lock"
    if extra and extra not in EXTRAS:
        raise Misused(f"no wheels are locked for the extra '{extra[:40]}'; there are: {', '.join(EXTRAS)}")
    for folder in (_source(), _metadata() / "extra_metadata"):
        if folder and (folder / name).is_file():
            return folder / name
    raise Misused(
        f"{name} is not with this Selat, so no wheel could be held to its hash; install it from its wheel"
    )


def this_python() -> tuple[str, str]:
    """What wheels gathered here are for: Python as 3.11, and the machine as x86_64."""
    return f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine()


def wheelhouse(cache: Path, extras: Sequence[str], source: Path | None = None) -> Path:
    """A folder with the wheels of the core and of extras, each held to its hash in a lock; kept in `cache`.

    They come from the package index that pip is set to, or from the folder `source` alone.
    Raises: Misused, for an extra; Unavailable, when pip cannot get them.
    """
    locks = [find_lock(extra) for extra in ("", *sorted(set(extras)))]
    about = [*this_python(), *(lock.read_text("utf-8") for lock in locks)]
    folder = cache / hashlib.sha256("\0".join(about).encode()).hexdigest()[:16]
    if _whole(folder, locks):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    fresh = cache / f"{folder.name}.new"
    fresh.mkdir(parents=True, exist_ok=True)
    words = ["download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", str(fresh)]
    if source is not None:
        words += ["--no-index", "--find-links", str(source)]
    for lock in locks:
        _pip([*words, "--requirement", str(lock)])
    fresh.rename(folder)
    return folder


def _whole(folder: Path, locks: Sequence[Path]) -> bool:
    """Whether it is there, and each wheel in it is one that a lock names."""
    text = "".join(lock.read_text("utf-8") for lock in locks)
    digests = (
        (hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()) if folder.is_dir() else ()
    )
    return folder.is_dir() and all(f"sha256:{digest}" in text for digest in digests)


def own_wheel() -> tuple[str, bytes]:
    """The name and bytes of a wheel of this Selat: built from its source, or of what is installed."""
    source = _source()
    if source is None:
        return _repacked()
    with tempfile.TemporaryDirectory() as folder:
        _pip(["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, str(source)])
        (made,) = Path(folder).glob("selat-*.whl")
        return made.name, made.read_bytes()


def requirements(wheels: Sequence[tuple[str, str]]) -> str:
    """A file for `pip install --require-hashes`, of names of wheels and their SHA-256."""
    lines = []
    for name, sha256 in sorted(wheels):
        distribution, version, *_ = name.split("-")
        lines.append(f"{distribution}=={version} --hash=sha256:{sha256}\n")
    return f"# Python {' on '.join(this_python())}\n" + "".join(lines)


def _source() -> Path | None:
    """The checkout that this Selat runs from; None where it is installed."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() else None


def _metadata() -> Path:
    found = metadata.distribution("selat")
    return Path(str(found.locate_file(f"selat-{found.version}.dist-info")))


def _pip(words: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own words
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise Unavailable(f"pip could not get the wheels: {' '.join(said[-2:])[:600] or 'it said nothing'}")


def _repacked() -> tuple[str, bytes]:
    """A wheel of the installed files, as their record lists them. Source: the binary distribution format."""
    found = metadata.distribution("selat")
    info = f"selat-{found.version}.dist-info"
    written = io.BytesIO()
    record = []
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, path in sorted(_installed(found, info)):
            data = path.read_bytes()
            packed.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(data)}\n")
        text = "".join([*record, f"{info}/RECORD,,\n"])
        packed.writestr(zipfile.ZipInfo(f"{info}/RECORD", _LONG_AGO), text, zipfile.ZIP_DEFLATED)
    return f"selat-{found.version}-py3-none-any.whl", written.getvalue()


def _installed(found: metadata.Distribution, info: str) -> Iterator[tuple[str, Path]]:
    for file in found.files or ():
        name = file.as_posix()
        if name.endswith(".pyc") or not name.startswith(("selat/", f"{info}/")):
            continue
        if name.rpartition("/")[2] not in _NOT_OURS:
            yield name, Path(str(file.locate()))

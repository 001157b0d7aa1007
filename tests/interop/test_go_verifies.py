"""Go's sumdb/note and sumdb/tlog, which know nothing of Selat, agree with us on what holds and what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import selat.verifier
from selat.core.canonical import canonical
from selat.core.checkpoint import Checkpoint
from selat.core.errors import LedgerBroken
from selat.core.note import Note
from selat.core.proof import verify
from selat.core.signature import COSIGN_ED25519
from selat.core.signer import Signer
from selat.ledger import Book, prepare
from selat.ledger.check import check
from selat.ledger.edge import Edge

ROOT = Path(__file__).parents[2]
SOURCE = Path(selat.verifier.__file__).with_name("verify.go")
Go = Callable[..., bool]


def go_command() -> tuple[str, str]:
    """The Go command and a GOPATH with golang.org/x/mod; skips where there is none."""
    kept = ROOT / ".make" / "go" / "go" / "bin" / "go"
    command = os.environ.get("SELAT_GO") or (str(kept) if kept.exists() else shutil.which("go"))
    paths = [os.environ.get("SELAT_GOCODE", ""), str(ROOT / ".make/gocode/usr/share/gocode"), "/usr/share/gocode"]
    path = next((path for path in paths if path and (Path(path) / "src/golang.org/x/mod").exists()), None)
    if command is None or path is None:
        pytest.skip("no Go with golang.org/x/mod here: run `make interop`, which fetches both")
    return command, path


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Go:
    command, path = go_command()
    program = tmp_path_factory.mktemp("go") / "verify"
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": path, "GOFLAGS": ""}
    subprocess.run([command, "build", "-o", program, SOURCE], env=environment, check=True, timeout=300)

    def accepts(keys: str, what: str, *paths: Path) -> bool:
        done = subprocess.run([program, keys, what, *paths], capture_output=True, timeout=60)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0

    return accepts


class Written:
    """A log of `size` leaves written by our tile code, with receipts from our Book."""

    def __init__(self, home: Path, size: int, witness: Signer | None = None) -> None:
        self.folder = home / "ledger"
        self.signer = prepare(self.folder, home / "keys" / "ledger.key", "selat.local/interop")
        self.witness = witness
        leaves = [
            canonical({"v": 1, "kind": "closed", "id": f"r{n}", "tenant": "t", "time": "", "n": n})
            for n in range(size)
        ]
        growth = Edge().grow(leaves)
        for name, data in growth.files.items():
            path = self.log / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        text = Checkpoint("selat.local/interop", size, growth.edge.root()).text()
        lines = [self.signer.sign(text)]
        if witness:
            lines.append(witness.sign(text, 1_795_316_400))
        (self.log / "checkpoint").write_text(str(Note(text, tuple(lines))))
        self.book = Book(self.folder)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def keys(self) -> str:
        return ",".join(str(signer.key) for signer in (self.signer, self.witness) if signer)

    @property
    def trust(self) -> str:
        if self.witness is None:
            return self.book.trust()
        return f"log {self.signer.key}\nwitness w {self.witness.key}\nquorum w\n"


@pytest.fixture(scope="session")
def witness() -> Signer:
    return Signer("witness.example/w1", COSIGN_ED25519, b"\x07" * 32)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700, 66_000])
def test_go_accepts_our_log_and_our_receipts(go: Go, tmp_path: Path, size: int) -> None:
    written = Written(tmp_path, size)
    assert go(written.keys, "log", written.log)
    for index in sorted({0, size // 3, size - 1}):
        path = tmp_path / f"{index}.tlog-proof"
        path.write_text(written.book.proof(index))
        assert go(written.keys, "receipt", path)
        assert verify(path.read_text(), written.trust).index == index
    problems = {problem.kind for problem in check(written.folder).problems}
    assert problems == {"no-state"}, "written without a sequencer, it lacks only the sequencer's state"


def test_go_accepts_our_cosignature(go: Go, tmp_path: Path, witness: Signer) -> None:
    written = Written(tmp_path, 300, witness)
    path = tmp_path / "r.tlog-proof"
    path.write_text(written.book.proof(299))
    assert go(written.keys, "receipt", path)
    assert verify(path.read_text(), written.trust).witnesses == ("witness.example/w1",)


def _swap(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def _line(number: int, at: int) -> Callable[[str], str]:
    """Change one letter of a line: base64 stays base64."""

    def change(text: str) -> str:
        lines = text.split("\n")
        letter = "B" if lines[number][at] != "B" else "C"
        lines[number] = lines[number][:at] + letter + lines[number][at + 1 :]
        return "\n".join(lines)

    return change


TAMPERINGS = {
    "leaf": _line(1, 20),
    "index": _swap("index 77", "index 78"),
    "proof hash": _line(4, 5),
    "proof cut": lambda text: "\n".join(text.split("\n")[:3] + text.split("\n")[4:]),
    "origin": _swap("\nselat.local/interop\n", "\nselat.local/interos\n"),
    "size": _swap("\n300\n", "\n301\n"),
    "root": lambda text: _line(text.split("\n").index("300") + 1, 3)(text),
    "log signature": lambda text: _line(-3, 40)(text),
    "cosignature": lambda text: _line(-2, 60)(text),
    "cosignature time": lambda text: _line(-2, 30)(text),
    "cosignature gone": lambda text: "\n".join([*text.split("\n")[:-2], ""]),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_both_refuse_a_tampered_receipt(go: Go, tmp_path: Path, witness: Signer, name: str) -> None:
    written = Written(tmp_path, 300, witness)
    honest = written.book.proof(77)
    path = tmp_path / "r.tlog-proof"
    path.write_text(honest)
    assert go(written.keys, "receipt", path)
    path.write_text(TAMPERINGS[name](honest))
    assert path.read_text() != honest
    assert not go(written.keys, "receipt", path)
    with pytest.raises(LedgerBroken):
        verify(path.read_text(), written.trust)


@pytest.mark.parametrize(
    "name", ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"]
)
def test_both_refuse_a_tampered_tile(go: Go, tmp_path: Path, name: str) -> None:
    written = Written(tmp_path, 300)
    data = bytearray((written.log / name).read_bytes())
    data[20] ^= 1
    (written.log / name).write_bytes(data)
    assert not go(written.keys, "log", written.log)
    assert {problem.kind for problem in check(written.folder).problems} >= {"bad-tile"}


def test_both_refuse_a_tampered_checkpoint(go: Go, tmp_path: Path) -> None:
    written = Written(tmp_path, 300)
    path = written.log / "checkpoint"
    path.write_text(_swap("\n300\n", "\n299\n")(path.read_text()))
    assert not go(written.keys, "log", written.log)
    assert {problem.kind for problem in check(written.folder).problems} >= {"bad-checkpoint"}


def test_go_reads_our_key_file(go: Go, tmp_path: Path) -> None:
    """Our specimen of a key is Go's own text form: the same id, computed there and here."""
    written = Written(tmp_path, 1)
    name, key_id, _ = str(written.signer.key).split("+", 2)
    assert name == "selat.local/interop"
    assert go(str(written.signer.key), "log", written.log)
    wrong = str(written.signer.key).replace(key_id, "00000000")
    assert not go(wrong, "log", written.log)

"""Documents sent in over HTTP: read durably, seen by those who may, gone at once when removed."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import waiting
from doors_kit import Running, a_home, start
from papers import DOCX, PPTX, XLSX, packed, pages

from selat.app import Platform
from selat.core.label import HIGHEST, parse_label
from selat.home import Home
from selat.identity import KeyWish
from selat.testing import Upstream


@dataclass
class House:
    selat: Running
    secrets: dict[str, str]

    def call(self, who: str, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.secrets[who]}", **({"content-type": kind} if kind else {})}
        request = urllib.request.Request(self.selat.address + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def send(self, who: str, name: str, data: bytes, **query: object) -> tuple[int, Any]:
        asked = urlencode({"name": name, "wait": 50, "label": "terbuka/public/none/MY", **query})
        return self.call(who, "POST", f"/v1/documents?{asked}", data)

    def answer(self, who: str, question: str, model: str = "docs") -> str:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": question}]}).encode()
        status, said = self.call(who, "POST", "/v1/chat/completions", body)
        assert status == 200, said
        return str(said["choices"][0]["message"]["content"])


@pytest.fixture(scope="module")
def house(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("upload")
    home = a_home(folder, upstream, "upload_limit_bytes = 300000\nupload_timeout_s = 20.0\n")
    running = start(home, upstream, folder / "log", "--workers", "2")
    platform = Platform(Home(home), "test")
    wishes = {
        "builder": KeyWish("b", frozenset({"builder"}), HIGHEST, groups=frozenset({"hr"})),
        "operator": KeyWish("o", frozenset({"operator"}), HIGHEST),
        "officer": KeyWish("f", frozenset({"officer"}), HIGHEST, groups=frozenset({"hr"})),
        "hr": KeyWish("h", frozenset({"member"}), HIGHEST, groups=frozenset({"hr", "lain"})),
        "member": KeyWish("m", frozenset({"member"}), HIGHEST),
        "low": KeyWish("l", frozenset({"builder"}), parse_label("terbuka")),
    }
    secrets = {name: platform.create_key(wish).secret for name, wish in wishes.items()}
    platform.close()
    yield House(running, secrets)
    assert running.stop() == 0, running.log.read_text()
    assert "request failed" not in running.log.read_text()


def form(files: dict[str, bytes], **fields: str) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    head = f"--{boundary}\r\ncontent-disposition: form-data; name="
    body = "".join(f'{head}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()).encode()
    for name, data in files.items():
        body += f'{head}"file"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def test_a_document_sent_in_answers_and_says_each_step(house: House) -> None:
    status, said = house.send("builder", "cuti.md", b"# Cuti tahunan\n\nPekerja layak 14 hari cuti tahunan.\n")
    assert (status, said["status"], said["id"], said["passages"]) == (200, "ready", "cuti.md", 1)
    assert [step for step, _ in said["steps"]] == ["waiting", "parsing", "indexing", "ready"]
    assert "14 hari" in house.answer("member", "Berapa hari cuti tahunan pekerja?")
    assert house.selat.leaves_of(said["receipt"], "document.received")["facts"]["document"] == "cuti.md"
    (ingested,) = waiting.until(
        lambda: [leaf for leaf in house.selat.leaves() if leaf["kind"] == "document.ingested"][-1:]
    )
    assert ingested["facts"]["passages"] == 1


def test_a_form_carries_many_files_with_one_label(house: House) -> None:
    files = {"satu.txt": b"Gerai nombor satu menjual laksa utara.", "dua.csv": b"gerai,harga\nlaksa,7\n"}
    body, kind = form(files, collection="gerai", label="terhad/internal/none/MY", wait="50", folder="pasar/pagi")
    status, said = house.call("builder", "POST", "/v1/documents", body, kind)
    assert status == 200
    assert [(one["id"], one["label"]) for one in said["data"]] == [
        ("pasar/pagi/satu.txt", "terhad/internal/none/MY"),
        ("pasar/pagi/dua.csv", "terhad/internal/none/MY"),
    ]
    listed = house.call("member", "GET", "/v1/documents?collection=gerai&folder=pasar/pagi")[1]
    assert [one["id"] for one in listed["data"]] == ["pasar/pagi/dua.csv", "pasar/pagi/satu.txt"]
    assert house.call("low", "GET", "/v1/documents?collection=gerai")[1]["data"] == []
    one = house.call("member", "GET", listed["data"][0]["url"])[1]
    assert one == listed["data"][0]


def test_a_folder_hands_its_label_and_groups_down(house: House) -> None:
    wish = {"folder": "gaji", "label": "sulit", "groups": ["hr"]}
    assert house.call("builder", "PUT", "/admin/v1/folders", json.dumps(wish).encode())[0] == 200
    secret = b"Gaji pengarah zirafah ialah RM23456 sebulan."
    status, said = house.send("builder", "zirafah.txt", secret, folder="gaji/2027")
    assert (status, said["label"], said["groups"]) == (200, "sulit/public/none/MY", ["hr"])
    identity = quote(said["id"], safe="")
    for who, sees in (("hr", True), ("member", False), ("low", False)):
        assert ("23456" in house.answer(who, "Berapa gaji pengarah zirafah?")) is sees, who
        assert (house.call(who, "GET", f"/v1/documents/{identity}/passages/1")[0] == 200) is sees
        listed = house.call(who, "GET", "/v1/documents")[1]["data"]
        assert (said["id"] in {one["id"] for one in listed}) is sees
    hidden = house.call("operator", "DELETE", f"/v1/documents/{identity}")
    assert hidden == house.call("operator", "DELETE", "/v1/documents/tiada")
    assert hidden[0] == 404
    lower = {"folder": "gaji", "groups": ["lain"]}
    assert house.call("builder", "PUT", "/admin/v1/folders", json.dumps(lower).encode())[0] == 403
    assert house.call("officer", "PUT", "/admin/v1/folders", json.dumps(lower).encode())[0] == 400
    wish = {"folder": "gaji", "label": "sulit", "groups": ["lain"]}
    assert house.call("builder", "PUT", "/admin/v1/folders", json.dumps(wish).encode())[1]["changed"] == 1
    assert "23456" not in house.answer("officer", "Berapa gaji pengarah zirafah?")
    assert "23456" in house.answer("hr", "Berapa gaji pengarah zirafah?")


def test_a_label_is_raised_by_a_builder_and_lowered_by_an_officer_who_says_why(house: House) -> None:
    house.send("builder", "naik.txt", b"Tambang bas ekspres merpati naik sepuluh sen.")
    path = "/v1/documents/naik.txt/label"
    status, said = house.call("builder", "POST", path, b'{"to": "rahsia/public/none/MY"}')
    assert (status, said["to"]) == (200, "rahsia/public/none/MY")
    assert "sepuluh" not in house.answer("low", "Tambang bas ekspres merpati naik berapa?")
    lower = {"to": "terbuka/public/none/MY", "reason": "published in the gazette"}
    assert house.call("builder", "POST", path, json.dumps(lower).encode())[0] == 403
    assert house.call("officer", "POST", path, json.dumps(lower).encode())[0] == 200
    assert "sepuluh" in house.answer("low", "Tambang bas ekspres merpati naik berapa?")


def test_what_cannot_be_read_says_why_and_is_read_again_on_request(house: House) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as inside:
        inside.writestr("besar.txt", b"0" * 30_000_000)
    status, said = house.send("builder", "bom.zip", bomb.getvalue())
    assert (status, said["status"]) == (200, "failed")
    assert "bomb" in said["reason"]
    status, said = house.call("builder", "POST", "/v1/documents/bom.zip/retry", b"")
    assert (status, said["id"]) == (200, "bom.zip")
    again = until(house, "bom.zip", "failed")
    assert again["tries"] == 2
    assert house.call("builder", "POST", "/v1/documents/cuti.md/retry", b"")[0] == 400


def test_a_broken_new_version_is_told_of_and_the_good_one_is_still_searched(house: House) -> None:
    first, second = (f"dewan,sewa\nrama-rama,{price} ringgit\n".encode() for price in ("lapan", "sembilan"))
    assert house.send("builder", "sewa.csv", first)[1]["status"] == "ready"
    status, said = house.send("builder", "sewa.csv", b"\0\xff" * 400, label="rahsia/public/none/MY")
    assert (status, said["status"], said["passages"]) == (200, "failed", 1)
    assert "the one before is still searched" in said["reason"]
    assert "lapan" in house.answer("low", "Berapa sewa dewan rama-rama?")
    assert house.send("builder", "sewa.csv", second)[1]["reason"] == ""
    assert "sembilan" in house.answer("low", "Berapa sewa dewan rama-rama?")
    assert house.call("builder", "DELETE", "/v1/documents/sewa.csv")[0] == 200


def until(house: House, document: str, status: str) -> Any:
    def look() -> Any:
        found = house.call("builder", "GET", f"/v1/documents/{document}")[1]
        return found if found.get("status") == status else None

    return waiting.until(look)


def test_a_paused_house_keeps_what_comes_and_reads_it_later(house: House) -> None:
    assert house.call("operator", "POST", "/admin/v1/ingestion/pause")[0] == 200
    status, said = house.send("builder", "nanti.txt", b"Mesyuarat penyu diadakan pada hari Khamis.", wait=2)
    assert (status, said["status"]) == (202, "waiting")
    found = house.call("operator", "GET", "/admin/v1/ingestion")[1]
    assert (found["paused"], found["waiting"]) == (True, 1)
    assert found["left_s"] > 0
    assert house.call("operator", "POST", "/admin/v1/ingestion/resume")[0] == 200
    until(house, "nanti.txt", "ready")
    assert "Khamis" in house.answer("member", "Bila mesyuarat penyu diadakan?")


def test_a_removed_document_is_gone_at_once_with_a_tombstone(house: House) -> None:
    house.send("builder", "buang.txt", b"Kata laluan gelanggang ialah durian belanda.")
    assert "durian" in house.answer("member", "Apakah kata laluan gelanggang?")
    status, said = house.call("builder", "DELETE", "/v1/documents/buang.txt")
    assert (status, said["deleted"]) == (200, True)
    assert "durian" not in house.answer("member", "Apakah kata laluan gelanggang?")
    assert house.call("builder", "GET", "/v1/documents/buang.txt")[0] == 404
    assert house.selat.leaves_of(said["receipt"], "document.removed")["facts"]["document"] == "buang.txt"
    kept = list((house.selat.home / "knowledge" / "originals").glob("[0-9a-f]*.txt"))
    assert not any(b"durian belanda" in path.read_bytes() for path in kept)


def test_nobody_replaces_what_they_may_not_see(house: House) -> None:
    assert house.send("builder", "atas.txt", b"Pelan rahsia besar.", label="rahsia")[0] == 200
    assert house.send("low", "atas.txt", b"Pelan lain.")[0] == 400
    assert house.call("low", "GET", "/v1/documents/atas.txt")[0] == 404


@pytest.mark.parametrize(
    ("who", "name", "data", "query", "status"),
    [
        ("member", "a.txt", b"a", {}, 403),
        ("builder", "a.exe", b"a", {}, 422),
        ("builder", "a.txt", b"", {}, 422),
        ("builder", "", b"a", {}, 400),
        ("builder", "a.txt", b"a", {"label": "tinggi"}, 400),
        ("builder", "a.txt", b"a", {"language": "xx"}, 400),
        ("builder", "a.txt", b"a", {"folder": "../up"}, 400),
        ("builder", "a.txt", b"a", {"nonsense": "1"}, 400),
        ("builder", "a.txt", b"0" * 300_001, {}, 413),
    ],
)
def test_what_is_no_document_is_refused(
    house: House, who: str, name: str, data: bytes, query: dict[str, object], status: int
) -> None:
    assert house.send(who, name, data, **query)[0] == status
    drafts = house.selat.home / "knowledge" / "originals"
    assert not list(drafts.glob(".draft-*"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b"--x\r\ncontent-disposition: form-data; name=file; filename=a.txt\r\n\r\nhalf",
        b"nonsense",
    ],
)
def test_a_broken_form_is_refused(house: House, body: bytes) -> None:
    assert house.call("builder", "POST", "/v1/documents", body, "multipart/form-data; boundary=x")[0] == 400
    assert house.call("builder", "POST", "/v1/documents", body, "multipart/form-data")[0] == 400


def mail(**attachments: bytes) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = "Aduan bekalan", "puan@kedai.my"
    message.set_content("Bekalan tepung lewat tiga hari.")
    for name, data in attachments.items():
        name = name.replace("_", ".")
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


SALES = "negeri,jualan\n" + "".join(f"daerah{number},{number * 1000} ringgit sebulan\n" for number in range(2, 92))
PLACES: dict[str, tuple[bytes, int, dict[str, object]]] = {
    "cuti.pdf": (
        pages(("Cuti", "Empat belas hari."), ("Cuti sakit", "Enam puluh hari.")),
        2, {"page": 2, "heading": "Cuti › Cuti sakit", "text": "Enam puluh hari.", "box": (72, 590, 300, 715)},
    ),
    "notis.docx": (DOCX, 1, {"page": 0, "heading": "Notis", "text": "72 jam."}),
    "taklimat.pptx": (PPTX, 2, {"page": 2, "heading": "Tajuk", "text": "Dua"}),
    "harga.xlsx": (XLSX, 1, {"page": 0, "heading": "Harga", "text": "Beras | 26", "rows": [2, 2]}),
    "jualan.csv": (SALES.encode(), 2, {"page": 0, "text": "negeri | jualan\ndaerah", "heading": ""}),
    "laman.html": (
        b"<title>Laman</title><h1>Waktu</h1><p>Pagi.</p><h2>Jumaat</h2><p>Tutup tengah hari.</p>",
        2, {"heading": "Waktu › Jumaat", "text": "Tutup tengah hari."},
    ),
    "panduan.md": (b"# Satu\n\nMula.\n\n## Dua\n\nTamat.\n", 2, {"heading": "Satu › Dua", "text": "Tamat."}),
    "nota.txt": (b"Satu.\n\nGaji dibayar pada dua puluh lima.", 1, {"heading": "", "text": "dua puluh lima"}),
    "aduan.eml": (mail(a_xlsx=XLSX), 2, {"heading": "a.xlsx › Harga", "text": "Beras | 26", "rows": [2, 2]}),
    "fail.zip": (
        packed(a_DOT_pdf=pages(("Sewa", "Seribu ringgit.")), b_DOT_md="# Kedai\n\nBuka awal."),
        2, {"heading": "b.md › Kedai", "text": "Buka awal.", "page": 0},
    ),
}  # fmt: skip


def test_every_format_opens_at_the_exact_place(house: House) -> None:
    """What a passage's address shows is where its words stand: page and box, slide, sheet with rows, heading."""
    files = {name: data for name, (data, _, _) in PLACES.items()}
    body, kind = form(files, collection="format", label="terbuka/public/none/MY", wait="50")
    status, sent = house.call("builder", "POST", "/v1/documents", body, kind)
    assert (status, {one["id"]: one["status"] for one in sent["data"]}) == (200, dict.fromkeys(files, "ready"))
    for name, (_, number, place) in PLACES.items():
        status, found = house.call("member", "GET", f"/v1/documents/{name}/passages/{number}")
        assert status == 200, name
        assert str(place.pop("text")) in found["text"], name
        if box := place.pop("box", None):
            left, bottom, right, top = found["box"]
            assert box[0] - 2 <= left < right <= box[2], name  # type: ignore[index]
            assert box[1] <= bottom < top <= box[3], name  # type: ignore[index]
        assert {key: found[key] for key in place} == place, name
    sales: list[tuple[int, int]] = []
    while (sold := house.call("member", "GET", f"/v1/documents/jualan.csv/passages/{len(sales) + 1}"))[0] == 200:
        lines = sold[1]["text"].split("\n")[1:]
        sales.append((int(lines[0].split()[0][6:]), int(lines[-1].split()[0][6:])))
        assert sold[1]["rows"] == list(sales[-1])
    assert (sold[0], len(sales) > 2, sales[0][0], sales[-1][1]) == (404, True, 2, 91)

"""A bundle leaves one house and arrives in another: governed, booked, never lower, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bundle_kit import make, opened
from models_kit import model_folder, put

from selat.app import Platform, open_platform
from selat.bundles import open_bundle
from selat.core.errors import (
    BundleBroken,
    Forbidden,
    HomeBusy,
    LedgerUnavailable,
    Misused,
    ModelBroken,
    ModelRefused,
    NotFound,
    PolicyBroken,
    Unavailable,
)
from selat.core.label import label_from, parse_label
from selat.evals import template_digest
from selat.evals.item import Score, Scored
from selat.evals.load import find_pack
from selat.evals.run import Exam, Run, Subject
from selat.evals.store import Store
from selat.flows.bundles import arrive as arriving
from selat.flows.bundles.arrive import Arrived, Coming, arrive
from selat.flows.bundles.leave import Exported, Wish, key_of, leave
from selat.flows.bundles.parts import Terms
from selat.flows.claims import Claims
from selat.flows.ingest import Intake, ingest
from selat.flows.promote import Promotion, Registry, Weighed, make_passport
from selat.flows.shelve import Claim
from selat.flows.upload import folder_of, read_waiting
from selat.home import create_home
from selat.house import furnish
from selat.knowledge import Query
from selat.models.vouch import Signatures
from selat.stamps import now

EVERYTHING = Wish(everything=True)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as `selat up` leaves it, to be copied: its policies are proved once."""
    made = create_home(tmp_path_factory.mktemp("furnished") / "home")
    furnish(made)
    with open_platform(made.path) as platform:
        platform.prove_policies(made.policy)
    return made.path


@pytest.fixture
def here(furnished: Path, tmp_path: Path) -> Iterator[Platform]:
    shutil.copytree(furnished, tmp_path / "here")
    with open_platform(tmp_path / "here") as platform:
        listen(platform)
        yield platform


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Platform]:
    """Another house, with a ledger and keys of its own."""
    made = create_home(tmp_path / "there")
    furnish(made)
    with open_platform(made.path) as platform:
        listen(platform)
        yield platform


def fill(house: Platform, folder: Path) -> None:
    """Documents under several labels in folders, one of rows, one kept to a group; and a model."""
    (folder / "hr").mkdir(parents=True)
    (folder / "mesyuarat.md").write_text("# Mesyuarat\n\nMesyuarat pelan induk diadakan pada 3 Mac 2027.\n")
    (folder / "rasmi.md").write_text(
        "---\nlabel: sulit/restricted/none/MY\n---\n# Rasmi\n\nKod dewan ialah Melur.\n"
    )
    (folder / "hr/gaji.md").write_text("# Gaji\n\nGaji permulaan ialah RM 3,000 sebulan.\n")
    (folder / "rows.jsonl").write_text(
        '{"id":"r1","title":"Baris","text":"Lapangan terbang baharu di Kuching."}\n'
    )
    house.changes().set_folder(folder_of("default", "documents", "hr", "terhad", ["hr"]))
    report = ingest(house.library, [folder], Intake("default", "documents", parse_label("terbuka")), len)
    assert len(report.added) == 4, report
    house.shelving().add(model_folder(folder.parent / "model"), Claim("cuba/kecil", label="terhad"))


def pack(house: Platform, out: Path, wish: Wish = EVERYTHING) -> Exported:
    return leave(house, wish, house.local_caller(), now()).write(out, bool)


def take(house: Platform, path: Path, by: Platform, terms: Terms | None = None) -> Arrived:
    with open_bundle(path, [key_of(by).key]) as bundle:
        return arrive(house, bundle, Coming(house.local_caller(), terms or Terms()))


def read(house: Platform) -> None:
    read_waiting(house.library, lambda tenant: parse_label("rahsia"), house.record, lambda: True)


def listen(house: Platform) -> None:
    """Remember what is booked, once it is durable."""
    record = house.record
    entries: list[tuple[str, dict[str, Any]]] = []

    def heard(kind: str, facts: dict[str, object], *more: str, **named: str) -> str:
        receipt = record(kind, facts, *more, **named)
        entries.append((kind, facts))
        return receipt

    house.__dict__.update(record=heard, entries=entries)


def booked(house: Platform, kind: str) -> list[dict[str, Any]]:
    return [facts for told, facts in house.__dict__["entries"] if told == kind]


def found(house: Platform, text: str, clearance: str = "rahsia_besar/confidential/biometric") -> list[str]:
    groups = house.local_caller().groups
    query = Query("default", "", text, parse_label(clearance), groups=groups)
    return [hit.passage.source.document for hit in house.library.search(query)]


def test_all_of_a_house_arrives_with_labels_folders_and_groups(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    fill(here, tmp_path / "docs")
    done = pack(here, tmp_path / "b.tar")
    assert done.cover.label == "sulit/restricted/none/MY"
    came = take(there, tmp_path / "b.tar", here)
    assert came.came == {"models": 1, "documents": 4, "folders": 1, "kit_files": 0, "policies": 0}
    read(there)
    mine = {one.document: one for one in here.library.store.records("default")}
    theirs = {one.document: one for one in there.library.store.records("default")}
    assert {key: (one.label, one.folder, one.readers, one.title) for key, one in theirs.items()} == {
        key: (one.label, one.folder, one.readers, one.title) for key, one in mine.items()
    }
    assert found(there, "Di mana lapangan terbang baharu?")[0] == "r1"
    assert "rasmi.md" not in found(there, "kod dewan", "terhad/public/none")
    (model,) = there.models.models()
    assert (model.name, model.state, model.label, model.licence) == (
        "cuba/kecil",
        "quarantined",
        "terhad/public/none/-",
        "apache-2.0",
    )
    assert model.source.startswith(f"bundle:{done.cover.home}")
    assert not list((there.home.path / "bundles").glob("*/*"))
    assert not list(there.models.blobs.partial.iterdir())

    again = take(there, tmp_path / "b.tar", here)
    assert (again.receipt, again.came) == ("", dict.fromkeys(came.came, 0))
    admitted = take(there, tmp_path / "b.tar", here, Terms(admit=True))
    assert admitted.came["models"] == 1
    assert there.models.models()[0].state == "ready"
    assert take(there, tmp_path / "b.tar", here).receipt == ""


def test_the_same_contents_have_the_same_manifest(here: Platform, tmp_path: Path) -> None:
    fill(here, tmp_path / "docs")
    one, two = pack(here, tmp_path / "a.tar"), pack(here, tmp_path / "b")
    assert one.cover.manifest == two.cover.manifest
    assert one.cover.made != two.cover.made


def test_what_is_above_the_clearance_does_not_leave(here: Platform, tmp_path: Path) -> None:
    fill(here, tmp_path / "docs")
    caller = replace(here.local_caller(), clearance=parse_label("terhad/internal/none"))
    for wish in (Wish(collections=("documents",)), EVERYTHING):
        with pytest.raises(Forbidden, match="above your clearance"):
            leave(here, wish, caller, now())
    outside = replace(here.local_caller(), groups=frozenset({"it"}))
    with pytest.raises(Forbidden, match="other groups"):
        leave(here, Wish(collections=("documents",)), outside, now())
    low = replace(here.local_caller(), clearance=parse_label("terbuka"))
    with pytest.raises(Forbidden, match="cuba/kecil"):
        leave(here, Wish(models=("cuba/kecil",)), low, now())
    member = replace(here.local_caller(), roles=frozenset({"member"}))
    with pytest.raises(Forbidden, match="operator"):
        leave(here, EVERYTHING, member, now())
    assert not list(tmp_path.glob("*.tar"))
    assert len(booked(here, "bundle.export_refused")) == 4


def test_a_label_is_never_lower_than_the_bundle_says_nor_than_it_was(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    fill(here, tmp_path / "docs")
    there.library.folders.set(folder_of("default", "documents", "hr", "sulit", []))
    there_docs = tmp_path / "other"
    there_docs.mkdir()
    shutil.copy(tmp_path / "docs/mesyuarat.md", there_docs)
    ingest(
        there.library, [there_docs], Intake("default", "documents", parse_label("rahsia"), force_label=True), len
    )
    pack(here, tmp_path / "b")
    take(there, tmp_path / "b", here)
    read(there)
    labels = {one.document: one.label for one in there.library.store.records("default")}
    assert labels["mesyuarat.md"] == "rahsia/public/none/-"
    assert labels["rasmi.md"] == "sulit/restricted/none/MY"
    assert labels["hr/gaji.md"] == "sulit/public/none/-"


def test_a_folder_kept_to_other_groups_here_is_a_clash(here: Platform, there: Platform, tmp_path: Path) -> None:
    fill(here, tmp_path / "docs")
    pack(here, tmp_path / "b")
    there.library.folders.set(folder_of("default", "documents", "hr", "", ["semua"]))
    with pytest.raises(Misused, match="kept to other groups"):
        take(there, tmp_path / "b", here)
    assert there.library.store.records("default") == []


def test_documents_that_were_changed_or_lost_leave_as_the_text_that_was_read(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    fill(here, tmp_path / "docs")
    (tmp_path / "docs/mesyuarat.md").write_text("Rahsia yang lain sama sekali.")
    (tmp_path / "docs/hr/gaji.md").unlink()
    done = pack(here, tmp_path / "b", Wish(collections=("documents",)))
    assert any("3 documents go as the text" in line for line in done.told)
    assert b"Rahsia yang lain" not in b"".join(path.read_bytes() for path in (tmp_path / "b").rglob("*/*"))
    take(there, tmp_path / "b", here)
    read(there)
    assert "mesyuarat.md" in found(there, "Bila mesyuarat pelan induk?")
    assert "hr/gaji.md" in found(there, "Berapakah gaji permulaan?")


def test_a_licence_that_is_not_permissive_must_be_accepted(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    weights = (model_folder(tmp_path / "m") / "model.safetensors").read_bytes()
    put(here.models, "meta/llama", {"a.safetensors": weights}, licence="llama3.1")
    pack(here, tmp_path / "b.tar", Wish(models=("meta/llama",)))
    with pytest.raises(ModelRefused, match=r"meta/llama.*--accept-license"):
        take(there, tmp_path / "b.tar", here)
    assert there.models.models() == []
    take(there, tmp_path / "b.tar", here, Terms(accept_licence=True, admit=True))
    (entry,) = booked(there, "model.added")
    assert entry["licence_accepted"] is True


def test_what_may_not_be_on_the_shelf_does_not_come_in_a_bundle(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    bad = {"m/x.safetensors": b"bukan safetensors", "n/pytorch_model.bin": b"\x80\x02}."}
    for name, data in bad.items():
        owner, path = name.split("/")
        put(here.models, owner, {path: data}, licence="mit")
        out = tmp_path / f"{owner}.tar"
        pack(here, out, Wish(models=(owner,)))
        with pytest.raises(ModelRefused):
            take(there, out, here)
    assert there.models.models() == []
    assert list(there.models.blobs.digests()) == []
    assert list(there.models.blobs.partial.iterdir()) == []
    assert len(booked(there, "bundle.refused")) == 2


def test_a_quarantined_model_does_not_leave(here: Platform, tmp_path: Path) -> None:
    put(here.models, "luar/x", {"README.md": b"#"}, licence="mit", state="quarantined")
    with pytest.raises(ModelBroken, match="selat model admit"):
        leave(here, Wish(models=("luar/x",)), here.local_caller(), now())


def test_policies_arrive_as_a_proposal_and_are_in_force_only_when_proved(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    extra = here.home.policy / "policies/60-cuti.cedar"
    extra.write_text(
        '@id("tiada-awan-sg")\n@reason_en("no cloud in SG")\n@reason_ms("tiada awan di SG")\n'
        'forbid (principal, action, resource) when { resource.site.jurisdiction == "SG" };\n'
    )
    pack(here, tmp_path / "b", Wish(policy=True))
    before = there.prove_policies(there.home.policy).basis
    came = take(there, tmp_path / "b", here)
    (proposed,) = (there.home.path / "policy.proposed").iterdir()
    assert came.came == {"policies": 9}
    assert str(proposed) in came.told[0]
    assert there.prove_policies(there.home.policy).basis == before
    assert take(there, tmp_path / "b", here).receipt == ""
    take(there, tmp_path / "b", here, Terms(activate=True))
    assert there.prove_policies(there.home.policy).basis == here.prove_policies(here.home.policy).basis
    assert there.prove_policies(there.home.policy.with_name("policy.before")).basis == before
    assert take(there, tmp_path / "b", here, Terms(activate=True)).receipt == ""

    extra.write_text("bukan polisi")
    with pytest.raises(PolicyBroken):
        pack(here, tmp_path / "c", Wish(policy=True))


def test_a_bundle_that_breaks_an_invariant_is_not_put_in_force(
    here: Platform, there: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.home.policy / "policies/60-semua.cedar").write_text(
        '@id("semua")\npermit (principal, action, resource);\n'
    )
    (here.home.policy / "policies/20-always.cedar").unlink()
    monkeypatch.setattr(Platform, "prove_policies", lambda self, folder: None)
    pack(here, tmp_path / "b", Wish(policy=True))
    monkeypatch.undo()
    before = there.prove_policies(there.home.policy).basis
    with pytest.raises(PolicyBroken):
        take(there, tmp_path / "b", here, Terms(activate=True))
    assert there.prove_policies(there.home.policy).basis == before
    assert booked(there, "bundle.imported") == []


def test_an_unknown_kind_of_file_is_for_a_newer_selat(there: Platform, tmp_path: Path) -> None:
    make(tmp_path / "b", {"future/x": b"1"}, kind="future")
    with opened(tmp_path / "b") as bundle, pytest.raises(BundleBroken, match=r"'future'.*upgrade"):
        arrive(there, bundle, Coming(there.local_caller()))
    assert len(booked(there, "bundle.refused")) == 1


def test_a_broken_bundle_changes_nothing_and_is_booked(here: Platform, there: Platform, tmp_path: Path) -> None:
    fill(here, tmp_path / "docs")
    pack(here, tmp_path / "b")
    last = max((tmp_path / "b/models").iterdir())
    last.chmod(0o644)
    last.write_bytes(last.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleBroken, match=rf"models/{last.name}.*expected.*found"):
        take(there, tmp_path / "b", here)
    assert there.models.models() == []
    assert there.library.store.records("default") == []
    assert there.library.inbox.all("default") == []
    assert list(there.models.blobs.digests()) == []
    assert list(there.models.blobs.partial.iterdir()) == []
    assert [path.name for path in (there.home.path / "bundles").iterdir()] == ["lock"]
    assert len(booked(there, "bundle.refused")) == 1


def test_nothing_comes_in_while_nothing_can_be_booked(
    here: Platform, there: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(here, tmp_path / "docs")
    pack(here, tmp_path / "b")

    def down(*words: object, **named: object) -> str:
        raise LedgerUnavailable("cakera penuh")

    monkeypatch.setitem(here.__dict__, "record", down)
    monkeypatch.setitem(there.__dict__, "record", down)
    with pytest.raises(LedgerUnavailable):
        take(there, tmp_path / "b", here)
    with pytest.raises(LedgerUnavailable):
        pack(here, tmp_path / "c")
    assert not (tmp_path / "c").exists()
    monkeypatch.undo()
    assert there.models.models() == []
    take(there, tmp_path / "b", here)
    assert len(there.models.models()) == 1


def test_an_import_that_ended_in_the_middle_goes_on_and_reads_large_files_once(
    here: Platform, there: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        here.shelving().add(model_folder(tmp_path / name, 3_000_000), Claim(f"cuba/{name}"))
    pack(here, tmp_path / "b.tar", EVERYTHING)
    bytes_read = 0
    preadv = os.preadv

    def counted(fd: int, buffers: Any, at: int) -> int:
        nonlocal bytes_read
        got = preadv(fd, buffers, at)
        bytes_read += got
        return got

    class Killed(BaseException): ...

    def kill_at(limit: int) -> int:
        nonlocal bytes_read
        bytes_read = heard = 0

        def told(size: int) -> None:
            nonlocal heard
            heard += size
            if heard >= limit:
                raise Killed

        with open_bundle(tmp_path / "b.tar", [key_of(here).key]) as bundle, pytest.raises(Killed):
            arrive(there, bundle, Coming(there.local_caller(), watch=told))
        return bytes_read

    monkeypatch.setattr(os, "preadv", counted)
    assert kill_at(4_500_000) > 4_000_000
    assert there.models.models() == []
    assert kill_at(5_900_000) < 3_500_000
    bytes_read = 0
    take(there, tmp_path / "b.tar", here)
    assert bytes_read < 3_500_000
    assert len(there.models.models()) == 2
    for model in there.models.models():
        assert there.models.verify(model) == []


@pytest.mark.parametrize("at", range(8))
def test_a_crash_while_things_come_in_is_made_good_by_the_next_import(
    here: Platform, there: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Ended at each entry that is booked: before it is written, which is before what it says shows."""
    fill(here, tmp_path / "docs")
    pack(here, tmp_path / "b.tar")
    record, count = there.record, 0

    class Killed(BaseException): ...

    def some(kind: str, facts: dict[str, object], *more: str, **named: str) -> str:
        nonlocal count
        if count == at:
            raise Killed
        count += 1
        return record(kind, facts, *more, **named)

    monkeypatch.setitem(there.__dict__, "record", some)
    try:
        take(there, tmp_path / "b.tar", here)
    except Killed:
        pass
    else:
        assert at == 7  # imported, one model, one folder, four documents
    monkeypatch.undo()
    take(there, tmp_path / "b.tar", here)
    read(there)
    assert len(booked(there, "bundle.imported")) == 1
    assert len(there.library.store.records("default")) == 4
    assert len(there.models.models()) == 1
    assert take(there, tmp_path / "b.tar", here).receipt == ""


def test_two_imports_at_once_are_one(here: Platform, there: Platform, tmp_path: Path) -> None:
    fill(here, tmp_path / "docs")
    pack(here, tmp_path / "b.tar")

    def meanwhile(cover: object) -> None:
        with pytest.raises(HomeBusy, match="another bundle"):
            take(there, tmp_path / "b.tar", here)

    with open_bundle(tmp_path / "b.tar", [key_of(here).key]) as bundle:
        arrive(there, bundle, Coming(there.local_caller(), begun=meanwhile))
    assert len(there.models.models()) == 1


def test_a_disk_without_room_is_told_before_anything_is_read(
    here: Platform, there: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(here, tmp_path / "docs")
    pack(here, tmp_path / "b.tar")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(arriving.shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
    with pytest.raises(Unavailable, match="make room first"):
        take(there, tmp_path / "b.tar", here)


def test_what_is_not_there_is_missing_and_nothing_is_not_exported(here: Platform, tmp_path: Path) -> None:
    fill(here, tmp_path / "docs")
    for wish, error in (
        (Wish(), Misused),
        (Wish(models=("tiada",)), NotFound),
        (Wish(collections=("tiada",)), NotFound),
    ):
        with pytest.raises(error):
            leave(here, wish, here.local_caller(), now())
    (tmp_path / "there").write_text("")
    with pytest.raises(Misused, match="exists"):
        pack(here, tmp_path / "there")
    with pytest.raises(Misused, match="make it first"):
        pack(here, tmp_path / "tiada/b.tar")
    assert booked(here, "bundle.exported") == []


def test_a_model_that_is_here_with_other_files_is_a_clash(here: Platform, there: Platform, tmp_path: Path) -> None:
    for house, text in ((here, b"# a"), (there, b"# b")):
        put(house.models, "cuba/x", {"README.md": text}, revision="ab" * 20, licence="mit")
    pack(here, tmp_path / "b.tar", Wish(models=("cuba/x",)))
    with pytest.raises(Misused, match="selat model remove"):
        take(there, tmp_path / "b.tar", here)


def test_labels_of_models_only_rise(here: Platform, there: Platform, tmp_path: Path) -> None:
    for house, label in ((here, "sulit"), (there, "terhad/internal")):
        data = {"README.md": b"# a"}
        put(house.models, "cuba/x", data, licence="mit", label=str(parse_label(label)))
    pack(here, tmp_path / "b.tar", Wish(models=("cuba/x",)))
    take(there, tmp_path / "b.tar", here)
    (model,) = there.models.models()
    assert model.label == str(label_from({"official": "sulit", "cloud": "internal"}))
    assert model.state == "ready"


def sit(house: Platform, weights: str = "5f" * 32) -> Run:
    """A complete run of a pack of four items."""
    pack = find_pack("tatabahasa")
    subject = Subject("kecil", "local", "openai", weights=weights)
    exams, forms = (Exam(pack.name, pack.digest),), (Exam("biasa", template_digest("biasa")),)
    run = Run("01KAPQ4S7V", "2026-11-22T03:00:00Z", subject, exams, forms, state="complete", total=4)
    rows = [
        Scored(pack.name, item.id, "biasa", item.language, item.id, Score(float(n < 3)))
        for n, item in enumerate(pack.items[:4])
    ]
    store = Store(house.home.path / "evals/evals.db")
    store.save(run, [pack])
    store.finish(run, rows)
    store.close()
    return run


def test_results_arrive_as_what_the_other_house_claims_and_not_as_ours(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    run = sit(here)
    done = pack(here, tmp_path / "b", Wish(evals=True))
    assert done.to_json()["kinds"] == {"pack": 1, "run": 1}
    assert take(there, tmp_path / "b", here).came == {"runs": 1}
    (claim,) = Claims(there.home.path / "passports").of("kecil")
    assert (claim.exam, claim.pack, claim.score, claim.by) == (
        "tatabahasa",
        "tatabahasa",
        750_000,
        done.cover.home,
    )
    store = Store(there.home.path / "evals/evals.db")
    assert store.runs() == []
    store.close()
    (kept,) = (there.home.path / "evals/received").rglob(f"{run.id}.json")
    assert kept.read_bytes() == (tmp_path / f"b/evals/runs/{run.id}.json").read_bytes()
    assert take(there, tmp_path / "b", here).receipt == ""


def test_results_that_cannot_be_read_are_refused(there: Platform, tmp_path: Path) -> None:
    for name, kind, path in (("a", "run", "evals/runs/X.json"), ("b", "kit", "kits/x/jalan.sh")):
        make(tmp_path / name, {path: b'{"run":1}'}, kind=kind)
        with opened(tmp_path / name) as bundle, pytest.raises(BundleBroken):
            arrive(there, bundle, Coming(there.local_caller()))


def test_kits_arrive_in_the_home(here: Platform, there: Platform, tmp_path: Path) -> None:
    own = here.home.path / "kits/klinik/panduan.md"
    own.parent.mkdir(parents=True)
    own.write_text("# Klinik\n")
    pack(here, tmp_path / "b", Wish(kits=True))
    came = take(there, tmp_path / "b", here)
    assert came.came == {"kit_files": 1}
    assert came.here["kit_files"] > 20
    assert (there.home.path / "kits/klinik/panduan.md").read_text() == "# Klinik\n"
    assert take(there, tmp_path / "b", here).receipt == ""


def test_a_model_that_must_be_signed_does_not_come_unsigned(
    here: Platform, there: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(here, tmp_path / "docs")
    pack(here, tmp_path / "b.tar")
    strict = replace(there.shelving(), signatures=Signatures(required=("cuba/*",)))
    monkeypatch.setitem(there.__dict__, "shelving", lambda: strict)
    with pytest.raises(ModelRefused, match="comes only when signed"):
        take(there, tmp_path / "b.tar", here)
    assert there.models.models() == []
    assert there.library.inbox.all("default") == []
    assert booked(there, "bundle.imported") == []


def test_passports_come_with_their_models_as_evidence_of_the_house_that_signed_them(
    here: Platform, there: Platform, tmp_path: Path
) -> None:
    fill(here, tmp_path / "docs")
    (model,) = here.models.models()
    weights = next(file.digest for file in model.files if file.path.endswith(".safetensors"))
    run = sit(here, weights=weights)
    registry = Registry(here.home.path / "passports", here.home.keys / "passport.key")
    store = Store(here.home.path / "evals/evals.db")
    passport = make_passport("P1", "2026-11-22T03:00:00Z", run.subject, store)
    store.close()
    text, digest = registry.issue(passport)
    of = (passport.subject.model, "local", passport.subject.digest, digest)
    registry.admit(Promotion("chat", *of, Weighed(), Weighed(), passport.time, "2027-01-01T00:00:00Z", "R1"))
    pack(here, tmp_path / "b", Wish(models=("cuba/kecil",)))
    assert take(there, tmp_path / "b", here).came == {"models": 1, "passports": 1}
    (kept,) = (there.home.path / "passports/received").rglob("*.passport")
    assert (kept.stem, kept.read_text()) == (digest, text)
    assert [claim.score for claim in Claims(there.home.path / "passports").of("kecil")] == [750_000]
    assert Registry(there.home.path / "passports", there.home.keys / "passport.key").promotions() == []
    assert take(there, tmp_path / "b", here).receipt == ""

    forged = {"passports/passport.vkey": f"{registry.key()}\n".encode()}
    forged[f"passports/{digest}.passport"] = text.replace("750000", "950000").encode()
    make(tmp_path / "forged", forged, kind="passport")
    with opened(tmp_path / "forged") as bundle, pytest.raises(BundleBroken, match="passport"):
        arrive(there, bundle, Coming(there.local_caller()))

"""What the words of the house are called on a page: roles, levels of labels, decisions, and kinds of errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from selat.console.words import N_, _, speaking
from selat.core.label import Label, label_from, parse_label
from selat.identity import Purpose

ROLES = {
    "operator": (N_("Pengendali"), N_("menjalankan rumah: enjin, had, kunci")),
    "builder": (N_("Pembina"), N_("menyambungkan aplikasi dan memasukkan dokumen")),
    "officer": (N_("Pegawai"), N_("menurunkan label dan menjawab kepada undang-undang")),
    "auditor": (N_("Juruaudit"), N_("membaca lejar dan bukti, tidak mengubah apa-apa")),
    "member": (N_("Ahli"), N_("bertanya dan membaca jawapan")),
}
OFFICIAL = {
    "terbuka": N_("Terbuka"),
    "terhad": N_("Terhad"),
    "sulit": N_("Sulit"),
    "rahsia": N_("Rahsia"),
    "rahsia_besar": N_("Rahsia Besar"),
}
CLOUD = {
    "public": N_("awam"),
    "internal": N_("dalaman"),
    "restricted": N_("terkawal"),
    "confidential": N_("sulit awan"),
}
PERSONAL = {
    "none": N_("tiada data peribadi"),
    "personal": N_("data peribadi"),
    "sensitive": N_("data peribadi sensitif"),
    "biometric": N_("data biometrik"),
}
DECISIONS = {"permit": N_("dibenarkan"), "redact": N_("ditopeng"), "deny": N_("ditolak")}
OUTCOMES = {
    "complete": N_("selesai"),
    "cancelled": N_("dihentikan"),
    "engine_error": N_("enjin gagal"),
    "engine_timeout": N_("enjin terlalu lama"),
    "failed": N_("tidak selesai"),
}
CHANGES = {
    "opened": N_("Permintaan dibuka"),
    "closed": N_("Permintaan ditutup"),
    "refused": N_("Permintaan ditolak"),
    "key.created": N_("Kunci API dibuat"),
    "key.revoked": N_("Kunci API ditamatkan"),
    "person.added": N_("Orang ditambah"),
    "person.changed": N_("Hak seseorang diubah"),
    "person.disabled": N_("Akaun ditutup"),
    "person.enabled": N_("Akaun dibuka semula"),
    "person.linked": N_("Pautan masuk dibuat"),
    "tenant.created": N_("Organisasi dibuat"),
    "tenant.profile": N_("Jenis organisasi ditetapkan"),
    "tenant.content": N_("Penyimpanan kandungan diubah"),
    "purpose.registered": N_("Tujuan didaftarkan"),
    "quota.set": N_("Had ditetapkan"),
    "quota.cleared": N_("Had dibuang"),
    "engine.added": N_("Enjin ditambah"),
    "engine.removed": N_("Enjin dibuang"),
    "drill.started": N_("Latih tubi kehilangan bermula"),
    "drill.ended": N_("Latih tubi kehilangan tamat"),
    "document.received": N_("Dokumen diterima"),
    "document.ingested": N_("Dokumen dibaca"),
    "document.failed": N_("Dokumen gagal dibaca"),
    "document.retried": N_("Dokumen dibaca semula"),
    "document.removed": N_("Dokumen dibuang"),
    "folder.set": N_("Peraturan folder ditetapkan"),
    "label.raised": N_("Label dinaikkan"),
    "label.lowered": N_("Label diturunkan"),
    "answer.feedback": N_("Maklum balas tentang jawapan"),
    "packs.in_force": N_("Pek peraturan berkuat kuasa"),
    "policy.in_force": N_("Set dasar berkuat kuasa"),
    "documents.ingested": N_("Dokumen dibaca ke dalam perpustakaan"),
    "ingestion.paused": N_("Bacaan dokumen dijeda"),
    "ingestion.resumed": N_("Bacaan dokumen disambung"),
    "instrument.recorded": N_("Dokumen undang-undang direkodkan"),
    "instrument.withdrawn": N_("Dokumen undang-undang ditarik balik"),
    "model.added": N_("Model diletakkan di rak"),
    "model.admitted": N_("Model dibenarkan masuk"),
    "model.claimed": N_("Dakwaan pembekal dicatat"),
    "model.damaged": N_("Fail model rosak"),
    "model.given": N_("Model diberikan kepada yang lain"),
    "model.refused": N_("Model ditolak"),
    "model.removed": N_("Model dikeluarkan"),
    "eval.finished": N_("Ujian selesai"),
    "pull.begun": N_("Muat turun model bermula"),
    "pull.resumed": N_("Muat turun model disambung"),
    "pull.stopped": N_("Muat turun model dihentikan"),
    "check.begun": N_("Pembacaan semula model bermula"),
    "check.stopped": N_("Pembacaan semula model dihentikan"),
    "bundle.exported": N_("Bungkusan dieksport"),
    "bundle.imported": N_("Bungkusan diimport"),
    "bundle.refused": N_("Bungkusan ditolak"),
    "bundle.export_refused": N_("Eksport bungkusan ditolak"),
    "policy.proposed": N_("Set dasar dicadangkan"),
    "policy.activated": N_("Set dasar diaktifkan"),
    "incident.opened": N_("Insiden dibuka"),
    "incident.duty_done": N_("Kewajipan insiden dicatat selesai"),
    "incident.closed": N_("Insiden ditutup"),
    "model.promoted": N_("Model dinaikkan untuk satu tujuan"),
}
STEPS = {
    "waiting": (N_("Menunggu"), "info"),
    "parsing": (N_("Sedang dibaca"), "info"),
    "indexing": (N_("Sedang diindeks"), "info"),
    "ready": (N_("Sedia"), "ok"),
    "failed": (N_("Gagal"), "bad"),
}
ERRORS = {
    "role_needed": N_("Halaman ini bukan untuk peranan anda. Minta pengendali jika anda memerlukannya."),
    "policy_denied": N_("Dasar tidak membenarkan permintaan ini, jadi tiada apa-apa dihantar."),
    "quota_exceeded": N_("Had penggunaan telah dicapai. Cuba lagi selepas had diset semula."),
    "not_found": N_("Perkara ini tidak ada, atau bukan untuk anda lihat."),
    "invalid_api_key": N_("Anda belum log masuk, atau sesi anda telah tamat. Log masuk semula."),
    "form_expired": N_("Borang ini sudah lama terbuka. Muat semula halaman dan hantar sekali lagi."),
    "bad_request": N_("Ada sesuatu yang kurang dalam borang. Semak dan hantar semula."),
    "misused": N_("Ini tidak boleh dibuat begini. Butirannya di bawah."),
    "too_large": N_("Fail ini terlalu besar. Pecahkan kepada bahagian yang lebih kecil."),
    "engine_error": N_("Enjin model gagal menjawab. Cuba lagi sebentar lagi."),
    "engine_unreachable": N_("Enjin model tidak dapat dihubungi. Pengendali boleh menyemaknya di halaman Enjin."),
    "engine_busy": N_("Selat tidak dapat menerima kerja sekarang. Cuba lagi sebentar lagi."),
    "engine_garbage": N_(
        "Enjin model menjawab dengan sesuatu yang tidak dapat dibaca. Cuba lagi, atau pilih model lain."
    ),
    "engine_timeout": N_("Enjin model mengambil masa terlalu lama. Cuba lagi, atau pilih model yang lebih kecil."),
    "unavailable": N_("Selat tidak dapat menerima kerja sekarang. Cuba lagi sebentar lagi."),
    "ledger_unavailable": N_("Lejar tidak dapat ditulis, jadi tiada apa-apa dihantar. Beritahu pengendali."),
    "source_failed": N_(
        "Sumber itu tidak dapat dihubungi, atau tidak memberi apa yang diminta. Semak alamat dan rangkaian; "
        "tanpa rangkaian, bawa model masuk dengan `selat bundle import`."
    ),
    "model_refused": N_("Model ini tidak boleh diterima: formatnya, lesennya atau failnya. Sebabnya di bawah."),
    "model_broken": N_("Fail model ini bukan lagi seperti yang direkodkan. Keluarkan model ini dan ambil semula."),
    "scan_failed": N_(
        "Teks ini gagal diimbas untuk data peribadi, jadi tiada apa-apa dihantar. Cuba lagi; jika berulang, "
        "beritahu pengendali."
    ),
    "policy_broken": N_(
        "Set dasar tidak dapat dibaca atau dibuktikan. Pengendali boleh melihat sebabnya dengan "
        "`selat policy prove`."
    ),
    "ledger_broken": N_(
        "Bukti yang disimpan tidak dapat disahkan. Beritahu pengendali: `selat ledger check` menamakan "
        "apa yang rosak."
    ),
    "document_unreadable": N_("Dokumen ini tidak dapat dibaca. Simpan semula sebagai PDF atau DOCX, lalu cuba."),
}
OTHER_ERROR = N_("Selat gagal menyiapkan permintaan ini. Cuba lagi; jika berulang, beritahu pengendali.")


PURPOSES = {
    "chat": ("Perbualan dan bantuan menulis", N_("Perbualan dan bantuan menulis")),
    "docs": ("Jawapan daripada dokumen sendiri", N_("Jawapan daripada dokumen sendiri")),
    "eval": ("Penilaian model", N_("Penilaian model")),
}
"""The purposes that every organisation begins with, by the Malay name that they had then."""


def purpose(one: Purpose) -> str:
    """A purpose as its register names it; the first ones, while nobody named them anew, in every language."""
    if one.id in PURPOSES and PURPOSES[one.id][0] == one.name_ms:
        return _(PURPOSES[one.id][1])
    return one.name_ms if speaking.get().code == "ms" else one.name_en


def role(name: str) -> str:
    return _(ROLES[name][0]) if name in ROLES else name


def role_means(name: str) -> str:
    return _(ROLES[name][1]) if name in ROLES else ""


def official(label: str | Label) -> str:
    """The official class of a label, in words."""
    return _(OFFICIAL[level(label)])


def level(label: str | Label) -> str:
    """The official class of a label, as it is written in labels: `terhad`."""
    return str(label).partition("/")[0]


def axis_level(axis: str, name: str) -> str:
    """A level of one axis of labels, in words."""
    said = {"official": OFFICIAL, "cloud": CLOUD, "personal": PERSONAL}[axis][name]
    return _(said)


def any_level(name: str) -> str:
    """A level of any axis, in words."""
    said = {**OFFICIAL, **CLOUD, **PERSONAL}[name]
    return _(said)


def label_text(label: dict[str, Any]) -> str:
    """The label of an entry as text."""
    return str(label_from(label))


def outcome(name: str) -> str:
    return _(OUTCOMES[name]) if name in OUTCOMES else name


def forbidden(licence: Any) -> str:
    """What a licence forbids; its table has it in every language of the console."""
    return str(getattr(licence, f"forbids_{speaking.get().code}", licence.forbids))


def registered(purposes: Iterable[Purpose], identity: str) -> str:
    """A purpose by its id as an entry has it: as its register names it, else the id."""
    if identity == "unregistered":
        return _("tidak berdaftar")
    return next((purpose(one) for one in purposes if one.id == identity), identity)


def operator(name: str) -> str:
    """Who runs an engine: ourselves, or a party by its name."""
    return _("kita sendiri") if name == "self" else name


def site(told: dict[str, Any]) -> str:
    """Where an engine stands and who runs it: `Singapura · awan, Amerika Syarikat`."""
    tongue = speaking.get()
    place, by, law = (
        told["jurisdiction"],
        told["operator"],
        told.get("operator_jurisdiction") or told["jurisdiction"],
    )
    return f"{tongue.country(place)} · {operator(by)}" + (f", {tongue.country(law)}" if law != place else "")


def change(kind: str) -> str:
    """What an entry of this kind tells, in words; the kind itself where there are none yet."""
    return _(CHANGES[kind]) if kind in CHANGES else kind


def label_words(label: str | Label) -> str:
    """All of a label in words: `Terhad, dalaman, data peribadi, MY`."""
    found = parse_label(label) if isinstance(label, str) else label
    official_, cloud, personal, origin = str(found).split("/")
    words = [_(OFFICIAL[official_]), _(CLOUD[cloud]), _(PERSONAL[personal])]
    return ", ".join(words + ([origin] if origin != "-" else []))


def step(name: str) -> str:
    """How far a document is."""
    return _(STEPS[name][0]) if name in STEPS else name


def step_kind(name: str) -> str:
    return STEPS[name][1] if name in STEPS else ""


def decision(effect: str) -> str:
    return _(DECISIONS[effect]) if effect in DECISIONS else effect


def error(code: str) -> str:
    """An error in plain words with the next step."""
    return _(ERRORS.get(code, OTHER_ERROR))

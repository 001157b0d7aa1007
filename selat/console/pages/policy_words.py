"""What the pages on policy call things: attributes, changes that would help, actions, clocks."""

from __future__ import annotations

from selat.console.words import N_

ACTIONS = {
    "infer": N_("bertanya kepada model"),
    "embed": N_("membuat vektor daripada teks"),
    "search": N_("mencari dokumen"),
    "ingest": N_("memasukkan dokumen"),
    "transfer": N_("memindahkan data"),
}
CHANGES = {
    "malaysian-site": N_("gunakan enjin di Malaysia yang dikendalikan oleh pihak Malaysia"),
    "register-purpose": N_("daftarkan tujuan ini bagi organisasi anda"),
    "no-findings": N_("buang data peribadi dan rahsia daripada teks"),
    "scan-again": N_("hantar sekali lagi: imbasan gagal"),
    "passport": N_("gunakan model yang pasportnya telah disahkan"),
    "officer": N_("minta seorang pegawai melakukannya"),
    "ground": N_("berikan asas pemindahan yang berkuat kuasa"),
}
FINDINGS = {
    "SECRET": N_("kata laluan atau kunci"),
    "EMAIL": N_("alamat e-mel"),
    "MYKAD": N_("nombor kad pengenalan"),
    "CARD": N_("nombor kad bayaran"),
    "TIN": N_("nombor cukai individu"),
    "PASSPORT": N_("nombor pasport"),
    "SSM": N_("nombor syarikat"),
    "PHONE": N_("nombor telefon"),
    "BANK_ACCOUNT": N_("nombor akaun bank"),
    "DOB": N_("tarikh lahir"),
    "PLATE": N_("nombor plat"),
    "ADDRESS": N_("alamat rumah"),
    "NAME": N_("nama orang"),
}
FLAGS = {
    "HEALTH": N_("tentang kesihatan seseorang"),
    "RELIGION": N_("tentang agama seseorang"),
    "POLITICS": N_("tentang pendapat politik"),
    "OFFENCE": N_("tentang kesalahan seseorang"),
    "BIOMETRIC": N_("data biometrik"),
    "MEDIA": N_("imej, bunyi atau fail yang tidak dapat diimbas"),
}
STATES = {
    "late": (N_("Lewat"), "bad"),
    "soon": (N_("Tidak lama lagi"), "warn"),
    "running": (N_("Sedang berjalan"), "info"),
    "waiting": (N_("Menunggu langkah lain"), ""),
}
INCIDENTS = {
    "personal": N_("data peribadi"),
    "harm": N_("mudarat ketara mungkin berlaku"),
    "cyber": N_("keselamatan siber"),
}
DUE_KINDS = {
    "tia": N_("Penilaian impak pemindahan"),
    "dpia": N_("Penilaian impak perlindungan data"),
    "risk-assessment": N_("Penilaian risiko"),
    "audit": N_("Audit"),
    "contract": N_("Kontrak"),
    "consent": N_("Persetujuan"),
    "approval": N_("Kelulusan"),
}
EXTRAS = (
    ("MYKAD", N_("nombor kad pengenalan atau data peribadi lain")),
    ("SECRET", N_("kata laluan atau kunci")),
    ("HEALTH", N_("tentang kesihatan seseorang")),
    ("BIOMETRIC", N_("data biometrik")),
    ("MEDIA", N_("imej, bunyi atau fail yang tidak dapat diimbas")),
    ("FAILED", N_("teks yang gagal diimbas")),
)
"""What a text that is only supposed could hold."""

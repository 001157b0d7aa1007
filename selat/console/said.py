"""Sentences that a page shows once after something was done, named in the address by a short word."""

from __future__ import annotations

from selat.console.words import N_

SAID = {
    "signed-out": N_("Anda telah log keluar."),
    "person-changed": N_("Hak telah diubah."),
    "person-closed": N_("Akaun telah ditutup dan sesinya tamat."),
    "person-reopened": N_("Akaun telah dibuka semula."),
    "key-revoked": N_("Kunci telah ditamatkan; ia ditolak dalam masa sesaat."),
    "engine-added": N_("Enjin telah ditambah; ia boleh ditanya dalam masa sesaat."),
    "relabelled": N_("Label telah ditukar, dan perubahan itu dicatat dalam lejar."),
    "removed": N_("Dokumen telah dibuang daripada setiap jawapan; batu nisannya ada dalam lejar."),
    "retried": N_("Dokumen akan dibaca semula sebentar lagi."),
    "password-set": N_("Kata laluan telah disimpan."),
    "totp-on": N_("Langkah kedua kini diminta setiap kali anda log masuk."),
    "totp-off": N_("Langkah kedua telah dimatikan."),
    "limit-set": N_("Had telah ditetapkan dan dicatat dalam lejar."),
    "limit-cleared": N_("Had telah dibuang."),
    "folder-set": N_("Peraturan folder telah disimpan dan dicatat dalam lejar."),
    "proving": N_("Pembuktian telah bermula; halaman ini menunjukkan sejauh mana ia."),
    "pull-begun": N_("Pengambilan telah bermula. Ia berjalan sendiri; halaman ini boleh ditutup."),
    "pull-stopped": N_("Pengambilan dihentikan. Yang sudah sampai disimpan untuk disambung."),
    "model-removed": N_("Model telah dikeluarkan dari rak, dan ini dicatat dalam lejar."),
    "check-begun": N_("Pembacaan telah bermula. Ia berjalan sendiri; halaman ini boleh ditutup."),
    "check-stopped": N_("Pembacaan dihentikan; tiada apa-apa yang berubah."),
    "model-promoted": N_("Model kini boleh melayani tujuan itu, dan ini dicatat dalam lejar."),
    "engine-removed": N_("Enjin telah dibuang; permintaan pergi kepada yang lain."),
}

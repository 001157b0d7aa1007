"""What the scripts of a conversation and its evidence say."""

from __future__ import annotations

from selat.console.words import N_

WORDS = {
    "details": N_("Butiran"),
    "you": N_("Anda"),
    "answer": N_("Jawapan"),
    "thinking": N_("Sedang menjawab"),
    "done": N_("Jawapan selesai"),
    "stopped": N_("Dihentikan"),
    "stop": N_("Berhenti"),
    "send": N_("Hantar"),
    "retry": N_("Cuba semula"),
    "copy": N_("Salin"),
    "copied": N_("Disalin"),
    "good": N_("Membantu"),
    "poor": N_("Tidak membantu"),
    "thanks": N_("Terima kasih, maklum balas anda telah dicatat"),
    "receipt": N_("Resit"),
    "verified": N_("Disahkan"),
    "verified-partly": N_("Disahkan, kecuali tandatangan ML-DSA"),
    "failed": N_("Tidak menjadi. Cuba sekali lagi."),
    "offline": N_("Tiada sambungan ke Selat. Semak rangkaian dan cuba lagi."),
    "sources": N_("Sumber"),
    "source": N_("Sumber %(n)s"),
    "page": N_("halaman %(n)s"),
    "abstained": N_("Dokumen anda tidak menjawab soalan ini."),
    "abstained-next": N_("Cuba perkataan lain, pilih koleksi lain, atau tambah dokumen yang menjawabnya."),
    "redacted": N_("Data peribadi ditopeng sebelum keluar, dan dipulihkan untuk anda."),
    "permit": N_("dibenarkan"),
    "redact": N_("ditopeng"),
    "deny": N_("ditolak"),
    "rules": N_("Peraturan: %(rules)s"),
    "all": N_("Semua koleksi"),
    "docs": N_("Dokumen kami, dengan sumber"),
    "new": N_("Perbualan baharu"),
    "waiting-seal": N_("Menunggu resit dimeterai…"),
    "not-sealed": N_("Resit belum dimeterai. Cuba lagi sebentar lagi."),
    "step-leaf": N_("Entri dicincang (SHA-256)"),
    "step-path": N_("Entri %(index)s daripada %(size)s berada dalam lejar"),
    "step-log": N_("Ditandatangani oleh kunci lejar %(name)s (Ed25519)"),
    "step-witness": N_("Disahkan oleh saksi %(name)s"),
    "step-nowitness": N_("Tiada saksi bebas disediakan; tanpa saksi, dua buku yang berbeza tidak dapat dikesan"),
    "step-unchecked": N_(
        "Tandatangan bersama pasca-kuantum (ML-DSA-44) oleh saksi %(name)s tidak disemak di sini:"
        " pelayar ini tidak mempunyainya"
    ),
    "verify-unchecked": N_(
        "Entri dan lejar sah, tetapi kuorum saksi bergantung pada tandatangan ML-DSA-44 yang tidak dapat disemak"
        " oleh pelayar ini. Muat turun resit dan semak dengan selat ledger verify."
    ),
    "step-quorum": N_("Kuorum saksi tidak dipenuhi"),
    "verify-ok": N_("Resit ini sah. Pelayar anda sendiri yang mengiranya, tanpa mempercayai pelayan."),
    "verify-bad": N_("Resit ini tidak sah: %(why)s"),
    "verify-cannot": N_(
        "Pelayar ini tidak dapat menyemak Ed25519. Muat turun resit dan semak dengan selat ledger verify."
    ),
    "bad-form": N_("fail resit tidak berbentuk betul"),
    "bad-root": N_("entri bukan yang terdapat dalam lejar"),
    "bad-signature": N_("tandatangan tidak padan"),
    "bad-key": N_("tiada kunci lejar yang dipercayai"),
    "fact-time": N_("Masa"),
    "fact-model": N_("Model"),
    "fact-engine": N_("Enjin"),
    "fact-site": N_("Tempat"),
    "fact-decision": N_("Keputusan"),
    "fact-label": N_("Label"),
    "fact-purpose": N_("Tujuan"),
    "fact-outcome": N_("Berakhir"),
    "fact-tokens": N_("Token"),
    "fact-id": N_("Nombor resit"),
    "download-proof": N_("Muat turun resit"),
    "download-trust": N_("Muat turun fail kepercayaan"),
    "entry": N_("Entri seperti dalam lejar"),
    "labels": N_("Terbuka|Terhad|Sulit|Rahsia|Rahsia Besar"),
    "gone": N_("Petikan ini tidak lagi ada, atau labelnya kini di atas kebenaran anda."),
    "in-ledger": N_("Buka dalam lejar"),
    "code-copy": N_("Salin kod"),
}

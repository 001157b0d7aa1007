"""Names and syllables of names in use in Malaysia, and what words around a name say that it is none."""

from __future__ import annotations

from pathlib import Path

from selat.guard.spellings import written

_WORDS = Path(__file__).parent / "words"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _read(*files: str) -> frozenset[str]:
    """Words of the lists, lower case; lines that begin with `#` are remarks."""
    lines = (line for file in files for line in (_WORDS / f"{file}.txt").read_text("utf-8").splitlines())
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


_MALAY, _MALAY_WEAK, _INDIAN = _read("names_malay"), _read("names_malay_weak"), _read("names_indian")
WEAK = _MALAY_WEAK | _read("names_other_weak")
MALAY = _MALAY - WEAK
INDIAN = _INDIAN - WEAK
ENGLISH_ANY = _read("names_english")
ENGLISH = ENGLISH_ANY - WEAK
MALAY_ANY = _MALAY | _MALAY_WEAK
FAMILY = _read("surnames_english")
SURNAMES = _read("surnames_chinese")
SYLLABLES = _read("syllables_chinese")
LAST = SURNAMES | FAMILY
PLAIN_SURNAMES = words(
    """
    tan lim lee wong ng chong chan cheong goh teoh ooi yap khoo koh loh liew leong chua toh yeoh quek cheah heng teo
    chia kong pang phang tham thong tiong ting tiew voon wee woo yee yip hiew chin chew foong soh siow lai law leow
    """
)
"""Chinese surnames that are no other word: a word not known as a syllable may then stand before one that is."""
LOCAL = MALAY | INDIAN
STRONG = LOCAL | ENGLISH
"""Words that are names by themselves."""
KNOWN = STRONG | WEAK | FAMILY | SURNAMES | ENGLISH_ANY | _MALAY | _INDIAN
"""Words that can be part of a name."""

# Words with a capital that end a name or were never part of one.
STOPS = words(
    """
    no kp ic nric alamat tel telefon umur jantina bangsa agama warganegara emel email e-mel tarikh lahir
    nama name address phone age gender mobile hp fax faks dob passport pasport nombor number id ref date
    jalan jln lorong lrg lebuh lebuhraya persiaran taman tmn kampung kg bandar masjid surau hospital klinik
    universiti kolej sekolah smk sk sjk sjkc sjkt stadium dewan menara wisma kompleks plaza yayasan institut
    istana kota pulau sungai gunung bukit tasik lapangan stesen lrt mrt pasar pusat perpustakaan muzium
    pejabat bank jabatan kementerian sdn bhd berhad plt enterprise trading holdings group resources motors
    malaysia kuala lumpur selangor johor kedah kelantan melaka negeri sembilan pahang perak perlis penang
    sabah sarawak terengganu labuan putrajaya singapore indonesia china india thailand kl jb isnin selasa
    rabu khamis jumaat sabtu ahad monday tuesday wednesday thursday friday saturday sunday januari februari
    mac april mei jun julai ogos september oktober november disember january february march may june july
    august october december dan dari di ke yang untuk dengan pada oleh ini itu akan telah sudah belum tidak
    ada adalah ialah kata berkata kerana jika kalau bila apabila sila mohon terima kasih salam
    assalamualaikum selamat hari pagi petang malam esok semalam saya aku kami kita dia beliau mereka anda
    awak kamu encik puan cik tuan the and or of in on at to for from with by is are was were be been has
    have had he she it they we you i my his her our your their this that these those said says will would
    can could may please dear hi hello thanks thank regards best sincerely yours if when where who what why
    how but not no yes ok okay today tomorrow yesterday monday also lah la lor leh ah ya eh hp wasap
    whatsapp sms mr mrs ms madam mdm miss sir dr prof datuk dato datin hotel mall street road avenue airport
    highway expressway station tower building centre center cup trophy award school college university
    foundation museum gallery restaurant cafe clinic company corporation council society association
    department ministry court parliament manager director officer senior junior executive engineer analyst
    accountant teacher nurse clerk secretary pegawai pengarah pengurus kerani guru jurutera setiausaha
    pengerusi presiden menteri ketua timbalan naib bahagian unit team tim dept department hr it admin tadbir
    perdana besar bil invois invoice resit akaun account order pesanan ringgit rm islam melayu cina buddha
    kristian hindu sikh tamil english mandarin bahasa tin visa mastercard maybank cimb rhb ambank hsbc ocbc uob
    bsn president chairman customer team everyone guys residents editor warganegara malaysian lelaki
    perempuan male female status jawatan gaji jenis catatan tandatangan saksi
    """
)

# Before a name: then the name is a street's, a school's, a ship's.
PLACES = (
    r"jalan|jln|lorong|lrg|lebuh|lebuhraya|persiaran|pesiaran|lingkaran|solok|leboh|taman|tmn|kampung|kampong|kg|bandar"
    r"|masjid|surau|madrasah|hospital|klinik|poliklinik|universiti|university|kolej|college|sekolah|smk|sk|sjkc?|sjkt|smka"
    r"|stadium|dewan|menara|wisma|kompleks|plaza|yayasan|institut|institute|istana|kota|pulau|sungai|sg|gunung|bukit|bt"
    r"|tasik|empangan|lapangan terbang|stesen|lrt|mrt|ktm|pasar|pasaraya|pusat|perpustakaan|muzium|galeri|akademi|maktab|politeknik"
    r"|kem|pantai|felda|ladang|makam|tugu|piala|anugerah|akta|kedai(?: makan)?|restoran|restaurant|warung|syarikat|kumpulan|tetuan"
    r"|firma|bangunan|jambatan|terowong|pelabuhan|blok|asrama|kapal|kd|rumah pangsa|flat|pangsapuri|kondominium|dataran"
    r"|bank|hotel|mount|port|cape|lake|fort|st|saint|parlimen|dun|gereja|kuil|tokong|church|temple|mosque|kuala|kapal selam"
    r"|sidang|tabung|biasiswa|skim|program|projek|bazar|medan|laman|padang|simpang|felcra|permatang|teluk|tanjung|tanjong"
    r"|batu|ulu|hulu|desa|apartment|apartmen|condo|residensi|anjung|puncak|lembah|alor|parit|air|ayer|pekan|jeti"
)
# After a name: then it is a company's, a road's, an institution's.
BODIES = (
    r"sdn|bhd|berhad|plt|llp|ltd|inc|corp(?:oration)?|enterprises?|trading|holdings?|group|resources|motors?|industries"
    r"|ventures?|associates|partners|brothers|stadium|hospital|airport|highway|expressway|street|road|avenue|mosque|temple"
    r"|university|foundation|cup|trophy|awards?|schools?|colleges?|cent(?:er|re)|bakery|restaurant|cafe|museum|gallery|memorial"
    r"|building|tower|bridge|station|park|garden|scholarship|institute|island|river|lake|mountain|hall|hotel|plaza|mall"
    r"|dynasty|festival|prize|lecture|clinic|bank|library|theatre|theater|food|kopitiam|seafood|noodles?|beach|village|town"
    r"|clock|fort|district|port|bay|hill|heights|construction|properties|property|capital|shop|store|mart|hardware|auto"
    r"|international|international school|chinese restaurant|shipping|logistics|engineering|pharmacy|farmasi|bersaudara"
)

PLACE_WORDS = frozenset(PLACES.replace("(?: makan)?", "").replace("sjkc?", "sjk|sjkc").split("|")) | {
    "terbang",
    "selam",
}
BODY_WORDS = written(BODIES)
STOPS |= {word for word in PLACE_WORDS if word.isalpha() and len(word) > 3} - {"port", "batu", "desa", "bayu"}
TITLE_WORDS = words(
    """
    encik en puan pn cik tuan datuk dato' dato datin tun toh haji hajah hj hjh ustaz ustazah dr prof
    profesor professor ir ts mr mrs ms miss madam mdm cikgu kak abang pak uncle aunty auntie sdr sdri yb yab
    yang insp inspektor sarjan sir asisten komisioner superintendan timbalan deputi majistret konstabel koperal
    """
)
CUTTING = STOPS | BODY_WORDS | TITLE_WORDS | {"sri", "seri", "madya"}
"""Words at which a name may have to be cut: without one, and of words that all can be part of one, it is whole."""
PARTS = KNOWN | SYLLABLES

"""The words and patterns by which personal names in the Latin script are recognised."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.guard import gazetteer as gaz
from selat.guard.gazetteer import words
from selat.guard.spellings import branches, written

LINK = r"(?:[Bb]in(?:ti)?|BIN(?:TI)?|[Bb]te\.?|BTE\.?|[Bb]t\.?|BT\.?|[Bb]\.|[Aa]/? ?[LlPp]|[Ss]/[Oo]|[Dd]/[Oo]|anak|ANAK|ak\.?|A/[LP]|[Ii]bni|IBNI|@)"
# A word of a name: capitalised, or all capitals, or an initial, or an abbreviated Mohd., Abd., Hj.
WORD = (
    r"(?:(?:Mohd|Muhd|Md|Abd|Hj|Hjh|Haji|Hajah|MOHD|MD|ABD|HJ)\.?|[A-Z][a-z]*'[A-Z]?[a-z]+|[A-Z][a-z]+(?:-[A-Z]?[a-z]+)?"
    r"|[A-Z]{2,}(?:-[A-Z]+)?|[A-Z]\.?(?= [A-Z]))(?![A-Za-z0-9_/])"
)
NAME = re.compile(rf"{WORD}(?: {WORD}){{0,4}}(?: {{1,3}}{LINK} {{1,3}}{WORD}(?: {WORD}){{0,4}}){{0,2}}")
PART = re.compile(r"\S+")
LOWER = re.compile(r"[a-z][a-z'-]+(?: (?:bin(?:ti)?|bte?|a/l|a/p|[a-z][a-z'-]+)){0,3}")
SERI = re.compile(r"(?:dato'?|datuk|tan|puan|datin) \Z", re.I)
# The links by themselves: a table answers five times sooner than the expression.
LINKS = words(
    """
    bin Bin BIN binti Binti BINTI bte Bte BTE bt Bt BT bte. Bte. BTE. bt. Bt. BT. b. B. anak ANAK ak ak. al aL Al AL
    ap aP Ap AP ibni Ibni IBNI @ a/l a/L A/l A/L a/p a/P A/p A/P s/o s/O S/o S/O d/o d/O D/o D/O
    """
)

# The longer before the shorter that begins it.
TITLES = (
    r"puan seri|puan sri|datuk seri|datuk sri|dato' ?sri|dato' ?seri|dato sri|dato seri|datin seri|datin sri|datin paduka|tan sri|toh puan"
    r"|encik|en|puan|pn|cik|tuan|datuk|dato'?|datin|tun|hajah|haji|hjh|hj|ustazah|ustaz|dr|professor|profesor|prof|ir|ts|mrs|mr|miss|ms"
    r"|madam|mdm|cikgu|akak|kak|abang|bang|bro|sis|pakcik|pak cik|pak|makcik|mak cik|mak|uncle|aunty|auntie|saudari|saudara|sdri|sdr|yab|yb"
    r"|inspektor|insp|sarjan|koperal|kapten|supt|asp|dsp|acp|sir|lord|justice|hakim|imam|pastor|father|rev|master|coach|captain|doktor|doctor"
    r"|atuk|nenek|pok|wak|tok|boss|peguam|jururawat|konstabel|leftenan|mejar|kolonel|jeneral"
    r"|asisten komisioner|timbalan komisioner|datuk bandar|asisten superintendan|deputi superintendan|penolong superintendan|superintendan"
    r"|komisioner|majistret|assistant commissioner|deputy commissioner|deputy superintendent|superintendent|commissioner|magistrate|sergeant|corporal"
)
# Words that stand before a name and a colon or comma; those of BEFORE also with only a space between.
COLON = (
    r"from|dari|daripada|to|kepada|cc|bcc|tuan|regards|sincerely|yang benar|yang menurut perintah|terima kasih|thanks|thank you|sekian"
    r"|hormat saya|hormat kami|a/n|pic|first_?name|last_?name|u\.?p\.?|untuk perhatian|prepared by|approved by|disediakan oleh"
    r"|diluluskan oleh|signed(?: by)?|ditandatangani(?: oleh)?|contact person|person in charge|senarai hadir|peserta|attendees?|assigned to"
    r"|bcc|sender|pengirim|recipient|receiver|author|penulis|hadir|present|absent|wakil|oleh|by|fullname|customer|user|nama_?penuh"
)
BEFORE = (
    r"penama|waris|pemohon|applicant|penerima|payee|attn|attention|pesakit|patient|pelajar|murid|student|customer|pelanggan|client|tenant"
    r"|penyewa|claimant|saksi|witness|mangsa|victim|suspek|suspect|tertuduh|accused|plaintiff|defendant|employee|pekerja|pegawai penyiasat"
    r"|dear|hi|hello|hey|salam|kepada|saya|aku|i am|i'm|im|this is|contact|hubungi|jumpa|ask|guarantor|penjamin|pembeli|penjual|buyer"
    r"|seller|beneficiary|director|pengarah|manager|pengurus|menteri(?: besar)?|prime minister|minister|presiden|president|pengerusi"
    r"|chairman|chairperson|setiausaha|secretary|ceo|pelakon|penyanyi|actor|actress|singer|player|shuttler|pemain|jurulatih|legend"
    r"|wakil|spokesman|spokesperson|jurucakap|isteri|suami|wife|husband|anak saya|anak perempuan|anak lelaki|adik|kakak|ayah"
    r"|daughter|son|brother|sister|friend|fren|kawan saya|spoke (?:to|with)|speak (?:to|with)|spoken to|according to|menurut|bercakap dengan|landlord|nurse|teacher|speaker|penceramah|aktivis|activist|lawyer|penghulu"
    r"|pemilik|owner|driver|pemandu|rider|penunggang|nominee|debtor|guru besar|call|tanya|cakap dengan|talk to|told|says?|met|boss"
)
ASSERTING = (
    r"nama (?:(?:penuh|anak|suami|isteri|ibu|bapa|ayah|waris|kawan) )?(?:saya|dia|aku|i|beliau|anak|suami|isteri|penuh)|bernama|panggil saya|dikenali sebagai|atas nama|a/n|introduced (?:him|her)self as"
    r"|named|my name is|name is|name's|nama dia"
)
INTRODUCES = re.compile(
    r"(?<![A-Za-z])(?:saya|aku|i am|i'm|im|this is|dear|hi|hello|salam|son|daughter|wife|husband|brother|sister|isteri|suami|adik|kakak|ayah"
    r"|anak (?:saya|lelaki|perempuan)),? \Z",
    re.I,
)
# What says that a name comes, by how surely: a sentence, the field of a form, the key of any record.
ASSERTS = re.compile(
    r"(?<![A-Za-z])(?:(?P<says>nama (?:(?:penuh|anak|suami|isteri|ibu|bapa|ayah|waris|kawan) )?(?:saya|dia|aku|i|beliau|penuh)|my name is"
    r"|bernama|panggil saya|(?:full|first|last|given|family|middle|sur)_?name\"?: ?\"?|atas nama|a/n)"
    r"|(?P<field>nama ?:|name ?:|nama penuh ?:|waris ?:|payee ?:|penerima ?:|pemohon ?:)"
    r"|(?P<key>nama ?=|name ?=|\"nama\": ?\"|\"name\": ?\"|name is))\s?(?:ialah |adalah |is |: ?)?\Z",
    re.I,
)

UNSURE = words(
    """
    cik tuan haji hj ts ir miss bang bro sis pak mak sir lord justice hakim imam father rev master coach captain
    boss wak tok pok doktor doctor peguam jururawat jeneral kapten pastor atuk nenek tun abang saudara dsp asp acp supt
    komisioner superintendent commissioner magistrate sergeant corporal
    """
)
"""Titles that are also other words."""
CODES = words("ms en pn ir ts yb hj mr dr tun")
"""Titles that are also units, codes of languages and the like."""
GIVEN = words(
    """
    ah mei siew hui wei jia xin yi kok chee boon chong kah kar wai pei sook suet yoke yee zi zhi jun jing
    ming kim swee soo sze shu shi bee choon guat hooi lay ping poh sin sau mun wen kian kheng hock keong
    chin seng teck tuck yong zhen kai jie
    """
)
KIN = words(
    """
    long ngah lang uda su cik alang andak uteh teh tam chu min man
    """
)
NOT_LOWER = words(
    """
    saya aku dia kami kita yang dan dari di ke ini itu ada tak tidak nak boleh sila untuk dengan is are was
    the a an my your not so very going here there ok okay dah sudah belum penuh ibu bapa anda awak kamu
    pengguna fail file syarikat user first last full given company produk product domain host anak bapa
    waris pemohon ialah adalah untuk atas kat kau sape siapa apa what who seseorang samaran glamour pena
    bank akaun lengkap tersebut panggilan timangan just also only still now sorry sure glad happy writing
    calling from looking trying interested lah je ja ni tu kan la ke pun juga saja sahaja already in at on
    of by with
    """
)


def listed(words: frozenset[str], after: str) -> Iterator[str]:
    """Bare literals, in title case and in capitals: ten times sooner compiled than words with their edges."""
    for word in sorted(words):
        if word.isalpha() and len(word) > 1:
            yield word.capitalize() + after
            yield word.upper() + after


# Words that begin a Malay name and are seldom a whole one.
LEADERS = words(
    "nur nor noor siti wan nik che tengku tunku ungku syed sharifah syarifah megat dayang awang puteri raja"
)
# Names so frequent that two words in lower case are worth a look when they begin so.
FREQUENT = (
    "ahmad|muhammad|mohd|mohamad|nurul|siti|abdul|aisyah|fatimah|faizal|hafiz|amirul|farah|ismail|ibrahim|hassan|azman|zainal|roslan|rosli"
    "|kamal|nurhaliza|farid|aminah|khairul|syafiq|hakimi|aiman|amir|izzati|azlan|norhayati|noraini|zulkifli|rashid|muthu|kumar|rajesh|priya"
    "|ravi|ganesan|subramaniam|lakshmi|letchumy|saravanan|syed|sharifah|wan nor|nik mat|che mat|haslinda|zarina|suhaila|anuar|anwar"
)
LINKED_TRIGGERS = (
    r"[A-Za-z.)] {1,3}(?:[Bb](?:in|inti|te|t|IN|INTI|TE|T)\.?|[Bb]\.|[Aa]/? ?[LlPp]|[SsDd]/[Oo]|anak|ANAK|ak\.?|[Ii]bni|IBNI) {1,3}[A-Za-z]",
)
TITLE_SET = written(TITLES)
LOWER_TITLED = gaz.STRONG | (
    gaz.SURNAMES - KIN - gaz.STOPS - words("so see sit too low look loop sin say how you")
)
NEVER_LOWER = gaz.STOPS | NOT_LOWER
LOWER_KNOWN = gaz.KNOWN - NEVER_LOWER
# One expression a word: hyperscan then looks for words, where a long alternation becomes a slow automaton.
TITLED_TRIGGERS = tuple(rf"(?i)\b{title}\.?,? [a-z]" for title in TITLES.split("|"))
OPEN = r"[\"'*_`]*"
LABELLED_TRIGGERS = (
    rf"(?i)(?:nama|name|penama|waris|pemohon){OPEN}(?: ?[:=]{{1,2}}\s{{0,3}}| ialah | adalah | is |\xef\xbc\x9a){OPEN}[a-z]",
    rf"(?i)\b(?:{ASSERTING})(?: ialah| adalah)? {OPEN}[a-z]",
    *(rf"\b(?i:{word}){OPEN} ?[:=,]{{1,2}}\s{{0,3}}{OPEN}[A-Z]" for word in branches(f"{COLON}|{BEFORE}")),
    *(rf"\b(?i:{word}) {OPEN}[A-Z]" for word in branches(BEFORE)),
)


class _Listed:
    """Thousands of expressions, written out while a guard is loaded and not kept."""

    def __iter__(self) -> Iterator[str]:
        yield from listed(gaz.STRONG, "")
        yield from listed(gaz.SURNAMES | GIVEN | (gaz.ENGLISH_ANY & gaz.WEAK), " ")
        yield from listed(GIVEN, "-")
        yield from listed(LEADERS, " ")
        yield rf"\b(?:{FREQUENT}) [a-z]"


LISTED_TRIGGERS = _Listed()

"""Tells whether a text says something sensitive about a person: health, religion, politics, offences, biometrics.

A word of the lexicon alone raises no flag, since `hospital` and `agama` stand in most of what is written: the
sentence must also speak of a person, and tie the two together. Source: PDPA 2010 s 4, s 40; Act A1727.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from selat.core.finding import Finding


class Lexicon(NamedTuple):
    """`sure`: phrases that are about someone by themselves. `topics` need a `tie` and a person in the sentence."""

    sure: str
    topics: str
    ties: str


_DISEASE = (
    r"kanser|cancer|tumou?r|barah|diabetes|diabetic|kencing manis|hiv|aids|hepatitis|tibi|tuberculosis|asthma|asma|lelah|epilepsi|epilepsy|sawan"
    r"|darah tinggi|hypertension|hipertensi|sakit jantung|penyakit jantung|heart (?:disease|attack|failure)|serangan jantung|strok|stroke"
    r"|buah pinggang|kidney (?:disease|failure)|dialisis|dialysis|leukemi?a|lupus|thalassa?emia|talasemia|kemurungan|depression|depressed"
    r"|anxiety|bipolar|schizophrenia|skizofrenia|autisme?|autistic|adhd|dementia|demensia|alzheimer'?s?|parkinson'?s?|covid(?:-19)?|denggi|dengue"
    r"|hamil|mengandung|pregnan(?:t|cy)|keguguran|miscarriage|abortion|gugur kandungan|migrain(?:e)?|gastri[kc]|kolesterol|cholesterol|obesiti"
    r"|gout|arthritis|psoriasis|eczema|ekzema|alahan|alergi|allerg(?:y|ic)|anemia|penyakit mental|mental illness|sakit mental|oku|disab(?:led|ility)"
    r"|kecacatan|lumpuh|buta|pekak|surgery|pembedahan|chemotherapy|kemoterapi|insulin|metformin|antidepressants?|ubat|medication|prescri(?:bed|ption)"
    r"|penyakit|diagnos(?:is|ed|is)|demam panas|fever|suicidal|bunuh diri|overdose|ketagihan|addict(?:ion|ed)|syphilis|sifilis|gonorea|herpes|std"
)
_FAITH = (
    r"islam|muslim|muslimah|kristian|christian|katolik|catholic|buddha|buddhist|hindu|sikh|tao(?:ist|isme)?|ateis|atheist|syiah|shia|ahmadiyah"
    r"|protestan|protestant|methodist|jehovah|bahai|pagan|animis|agnostik|agnostic|mualaf|muallaf|murtad|apostate"
)
_PARTY = (
    r"umno|pas|dap|pkr|amanah|bersatu|mca|mic|gerakan|muda|pejuang|warisan|gps|grs|pbb|sapp|upko|star|psm|perikatan nasional|pakatan harapan"
    r"|barisan nasional|pn|ph|bn|parti|party|opposition|pembangkang|kesatuan sekerja|trade union"
)
_DEED = (
    r"disabitkan|disabit|didakwa|dituduh|ditahan(?: polis| reman)?|ditangkap|dipenjara(?:kan)?|direman|mencuri|merompak|merogol|rogol|mencabul|rasuah"
    r"|menipu|mengedar dadah|dadah|membunuh|pecah amanah|rekod jenayah|bekas banduan|sabitan|jenayah|criminal record|convict(?:ed|ion)|charged (?:with|in court)"
    r"|arrest(?:ed)?|detained|imprisoned|jailed|sentenced|pleaded (?:not )?guilty|mengaku (?:tidak )?bersalah|ex-convict|theft|fraud|molest(?:ed)?|rape[d]?"
    r"|drug (?:possession|trafficking)|bribery|embezzl\w+|assault(?:ed)?|bankrap|muflis|bankrupt|saman|blacklist(?:ed)?|khalwat|scammer"
)
_BODY = (
    r"cap jari|cap ibu jari|fingerprints?|thumbprints?|iris(?: scan)?|imbasan (?:iris|retina|muka|wajah)|retina(?: scan)?|face ?id|facial (?:recognition|scan|data|features)"
    r"|face (?:scan|template|embedding|encoding|data)|pengecaman (?:muka|wajah)|biometri[kc]s?|voice ?print|cap suara|dna|palm ?(?:print|vein)|gait"
)

LEXICONS: dict[str, Lexicon] = {
    "HEALTH": Lexicon(
        r"hiv[- ]?positi(?:ve|f)|positif hiv|(?:stage|tahap|peringkat) (?:[1-4]|i{1,3}|iv) (?:\w+ )?(?:cancer|kanser)|menghidap(?:i)?|mengidap(?:i)?"
        r"|rekod perubatan (?:pesakit|saya|beliau)|his medical record|her medical record|my medical record|diagnosed with|disahkan (?:menghidap|positif|hamil|covid)"
        r"|确诊|患有|患上|得了癌|怀孕了|孕妇患者|நோயால் பாதிக்கப்பட்ட|நோய் உள்ளது|கர்ப்பமாக",
        _DISEASE + r"|癌|糖尿病|高血压|心脏病|艾滋|肝炎|抑郁|忧郁|怀孕|流产|中风|哮喘|手术|病历|肾|洗肾|精神病|自闭|நீரிழிவு|புற்றுநோய்|இரத்த அழுத்த|இதய நோய்|ஆஸ்துமா|கர்ப்ப|நோய்|அறுவை சிகிச்சை|மன அழுத்த",
        r"ada|kena|sakit|hidap|alami|mengalami|menderita|disahkan|positif|rawatan|makan|ambil|jalani|menjalani|has|have|had|having|suffer\w*|with|positive|taking|takes|on|is|am"
        r"|was|got|undergo\w*|under|need\w*|for|sedang|telah|pernah|masih|sejak|since|tengah|sedang|my|his|her|nya|because|due|sebab|患|得|有|做|被|是|因|உள்ளது|இருக்கிறது|உண்டு|பாதிக்க",
    ),
    "RELIGION": Lexicon(
        rf"(?:agama|religion|宗教|மதம்)\s*[\"']?\s*[:=：]\s*[\"']?(?:{_FAITH}|佛教|道教|基督教|伊斯兰教|回教|天主教|兴都教|இந்து|இஸ்லாம்|கிறிஸ்துவ)|(?:saya|dia|beliau|aku) (?:seorang |ialah |adalah )?"
        r"(?:muslim|kristian|penganut)|beragama (?:islam|kristian|buddha|hindu|sikh|tao)|memeluk (?:agama )?islam|masuk islam|convert(?:ed)? to (?:islam|christianity|buddhism|hinduism)"
        r"|(?:i am|i'm|he is|he's|she is|she's) (?:a |an )?(?:practising |devout )?(?:muslim|christian|catholic|buddhist|hindu|sikh|taoist|atheist)\b"
        r"|(?:我|他|她)(?:是|信)(?:基督|佛|穆斯林|回教|天主|道教|印度教|兴都)|信仰(?:佛教|基督教|伊斯兰教|道教)|(?:நான்|அவர்) (?:ஒரு )?(?:இந்து|முஸ்லிம்|கிறிஸ்துவ)",
        _FAITH + r"|基督徒|佛教徒|穆斯林|回教徒|天主教徒|இந்து|முஸ்லிம்|கிறிஸ்துவ",
        r"seorang|penganut|beragama|anut|menganut|is a|am a|was a|practi[sc]\w+|faith|agama(?:nya)?|religion|becom\w+|bertukar|tukar agama|murtad|keluar islam|mualaf|muallaf|信|是|மத",
    ),
    "POLITICS": Lexicon(
        rf"(?:saya|aku|dia|beliau) (?:ialah |adalah |seorang )?(?:ahli|penyokong|menyokong|sokong|undi|mengundi|pangkah) (?:parti |kuat )?(?:{_PARTY})\b|(?:i|he|she) "
        rf"(?:vote[ds]?|campaign(?:ed|s)|support(?:ed|s)?) (?:for )?(?:the )?(?:{_PARTY})\b|(?:我|他|她)(?:支持|投给|投票给|加入|是)(?:行动党|巫统|马华|公正党|国阵|希盟|国盟|伊党|党员)",
        rf"ahli (?:parti )?(?:{_PARTY})|penyokong (?:parti )?(?:{_PARTY})|member of (?:the )?(?:{_PARTY})|supporter of (?:the )?(?:{_PARTY})|(?:{_PARTY}) (?:member|supporter|voter)"
        rf"|party member(?:ship)?|political (?:views?|opinions?|affiliation)|fahaman politik|pendirian politik|undi(?:an)? (?:{_PARTY})|党员|政治立场|கட்சி உறுப்பினர்|அரசியல் கருத்து",
        r"",
    ),
    "OFFENCE": Lexicon(
        r"rekod jenayah (?:saya|beliau|dia|pemohon|pekerja)|(?:his|her|my) criminal record|has a criminal record|ada rekod jenayah|bekas banduan bernama|前科",
        _DEED + r"|被控|被捕|定罪|判刑|坐牢|偷窃|诈骗|犯罪|贪污|குற்றம் சாட்டப்பட்ட|கைது|தண்டனை|சிறை|திருட்டு",
        r"",
    ),
    "BIOMETRIC": Lexicon(
        r"(?:fingerprint|iris|face|palm|voice|biometric)[ _](?:template|embedding|vector|minutiae|code|hash)s?|templat (?:cap jari|biometrik|wajah|iris)|(?:his|her|my|their) "
        r"(?:fingerprints?|thumbprints?|iris scan|voiceprint|face scan|dna)|(?:cap jari|cap ibu jari|imbasan (?:muka|wajah|iris|retina)|dna) (?:saya|beliau|dia|pesakit|pekerja|pelanggan|suspek|pemohon|murid)"
        r"|指纹(?:模板|数据|样本)|人脸(?:数据|模板|特征)|虹膜(?:数据|扫描)|声纹|(?:我|他|她)的指纹|கைரேகை",
        _BODY + r"|指纹|虹膜|人脸识别|生物特征",
        r"enrol\w*|daftar\w*|rakam\w*|imbas\w*|captur\w*|record\w*|stored?|simpan\w*|scan\w*|match\w*|padan\w*|ambil|diambil|taken|sample|sampel|template|collected?|dikutip|of|adalah|is|采集|登记|录入",
    ),
}  # fmt: skip

_PERSON = re.compile(
    r"(?<![a-z])(?:saya|aku|dia|beliau|pesakit|isteri(?:nya)?|suami(?:nya)?|anak(?:nya)? (?:saya|aku|dia)|ibu(?:nya)? (?:saya)?|mak aku|ayah|bapa saya|adik|abang|kakak|pekerja ini"
    r"|pelajar ini|pelanggan ini|pemohon|tertuduh|suspek|mangsa|lelaki itu|wanita itu|encik|puan|my|his|her|he|she|him|i|i'm|i've|patient|the employee|this employee|applicant"
    r"|claimant|the accused|wife|husband|son|daughter|mother|father|sister|brother|girlfriend|boyfriend|gf|bf|boss)(?![a-z])"
    r"|我|他|她|病人|患者|员工|妻子|丈夫|儿子|女儿|妈妈|爸爸|父亲|母亲|先生|女士|小姐|太太|நான்|எனக்கு|என் |அவர|அவன்|அவள்|நோயாளி|மனைவி|கணவர்|மகன்|மகள்|தாய்|தந்தை|அம்மா|அப்பா"
)
_GENERAL = re.compile(
    r"kempen|pencegahan|mencegah|cegah|campaign|awareness|kesedaran|symptoms? of|simptom|gejala|apa itu|apakah|what is|what are|how (?:to|do|does|can)|bagaimana|cara |statisti[ck]|kajian"
    r"|penyelidikan|study|studies|research|prevalence|kadar|risiko|risk of|per cent|peratus|rakyat malaysia|malaysians|kementerian kesihatan|dasar|policy on|undang-undang|act \d|akta"
    r"|article|essay|esei|karangan|explain|terangkan|define|definisi|translate|terjemah|什么是|如何|预防|运动|研究|统计|என்றால் என்ன|விழிப்புணர்வு"
)
_END = re.compile(r"[.!?;。！？\n](?:\s|$|[\"'])|[。！？；\n]")
_REACH, _NEAR = 180, 48


def _branches(expression: str) -> list[str]:
    """The alternatives at the outermost level."""
    parts, depth, part = [], 0, ""
    for char in expression:
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            parts.append(part)
            part = ""
        else:
            part += char
    return [*parts, part]


def _edged(words: str) -> str:
    """Latin words are matched whole; Chinese and Tamil ones as they stand."""
    return rf"(?:(?<![a-z0-9])(?:{words})(?![a-z]))" if words else r"(?:)"


TRIGGERS: dict[str, tuple[str, ...]] = {
    name: tuple(rf"(?i){word}" for word in dict.fromkeys(_branches(f"{lexicon.topics}|{lexicon.sure}")))
    for name, lexicon in LEXICONS.items()
}
_SURE = {name: re.compile(_edged(lexicon.sure)) for name, lexicon in LEXICONS.items()}
_TOPIC = {name: re.compile(_edged(lexicon.topics)) for name, lexicon in LEXICONS.items()}
_TIE = {name: re.compile(_edged(lexicon.ties)) for name, lexicon in LEXICONS.items()}


def is_raised(name: str, text: str, ends: Sequence[int], findings: Sequence[Finding]) -> bool:
    """Whether one of the sentences in which triggers ended (ascending) says it of a person."""
    seen = -1
    for end in ends:
        if end <= seen:
            continue
        near = text[max(0, end - _NEAR) : end + _NEAR // 2].lower()
        if _SURE[name].search(near):
            return True
        if not _TOPIC[name].search(near):  # a trigger in the middle of another word
            continue
        start, stop = _sentence(text, end)
        seen = stop
        if _says(name, text[start:stop].lower(), _someone(findings, start, stop)):
            return True
    return False


def _says(name: str, sentence: str, someone: bool) -> bool:
    if not (someone or _PERSON.search(sentence)) or _GENERAL.search(sentence):
        return False
    return bool(not LEXICONS[name].ties or _TIE[name].search(sentence))


def _sentence(text: str, at: int) -> tuple[int, int]:
    start, stop = max(0, at - _REACH), min(len(text), at + _REACH)
    before = [match.end() for match in _END.finditer(text, start, max(start, at - 1))]
    after = _END.search(text, at, stop)
    return (before[-1] if before else start), (after.start() if after else stop)


def _someone(findings: Sequence[Finding], start: int, stop: int) -> bool:
    """Whether a person is named or numbered in the sentence."""
    return any(f.start < stop and start < f.end and f.kind in ("NAME", "MYKAD", "PASSPORT") for f in findings)

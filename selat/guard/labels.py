"""What the words before a number say it is: the nearest label decides between an IC and an order number."""

from __future__ import annotations

import re
from typing import NamedTuple

from selat.guard.spellings import spellings

# Classes of label. Words are matched whole, where `_` and digits count as breaks (`ic_no`, `hp2`).
_WORDS: dict[str, tuple[str, ...]] = {
    "IC": (
        r"i\.?/?c", r"ics", r"k\.?/?p", r"n\.?r\.?i\.?c", r"my ?kad", r"my ?kid", r"my ?pr", r"my ?kas", r"my ?tentera",
        r"kad pengenalan(?: diri)?", r"identity card", r"identity no", r"identification(?: card)?", r"id card",
        r"id number", r"pengenalan(?: diri)?", r"nombor pengenalan", "身份证", "身分证", "登记号码", "身份證",
        "身分證", "அடையாள அட்டை", "ஐசி", "அடையாள எண்",
    ),
    "PHONE": (
        r"tel", r"tele?fon", r"telephone", r"tele?pon", r"phone", r"h/?p", r"hand ?phone", r"mobile", r"bimbit",
        r"wh?ats? ?app?", r"wsap", r"wasap", r"ws", r"call", r"hubungi", r"contact", r"cell", r"sms", r"fon",
        r"telegram", r"fax", r"faks", r"no hp", r"hub", r"duitnow", "电话", "手机", "联络", "联系", "電話", "手機", "拨打",
        "தொலைபேசி", "கைபேசி", "அலைபேசி", "போன்", "மொபைல்", "கைத்தொலைபேசி",
    ),
    "HOTLINE": (
        r"hot ?line", r"careline", r"talian", r"toll[- ]?free", r"helpline", r"infoline", r"customer (?:service|care)",
        r"khidmat pelanggan", r"pusat panggilan", r"call cent(?:er|re)", r"enquiry line", r"kecemasan",
        "热线", "客服", "免费电话", "உதவி எண்", "ஹாட்லைன்",
    ),
    "BANK": (
        r"a/c", r"acc?", r"acct", r"accounts?", r"akaun", r"akaun bank", r"maybank", r"mbb", r"cimb",
        r"public bank", r"pbb?e?", r"rhb", r"hong ?leong", r"hlb", r"ambank", r"am ?bank", r"bank islam", r"bimb",
        r"muamalat", r"bank rakyat", r"affin", r"alliance", r"uob", r"standard chartered", r"hsbc", r"ocbc",
        r"citibank", r"bsn", r"agrobank", r"tabung haji", r"bank", r"gx ?bank", r"transfer ke",
        "户口", "账号", "帐号", "账户", "帐户", "银行", "戶口", "帳號", "கணக்கு", "வங்கி",
    ),
    "CARD": (r"visa", r"master ?card", r"amex", r"credit card", r"debit card", r"kad kredit", r"kad debit",
             r"card", r"kad", "信用卡", "卡号", "கடன் அட்டை", "அட்டை எண்"),
    "REF": (
        r"orders?", r"pesanan", r"tempahan", r"booking", r"invoi[cs]e?", r"inv", r"invois", r"resit", r"receipt",
        r"tracking", r"track", r"penghantaran", r"penjejakan", r"parcel", r"bungkusan", r"konsainan", r"consignment",
        r"awb", r"waybill", r"ref", r"reference", r"rujukan", r"ruj", r"transaksi", r"transaction", r"txn",
        r"trx", r"batch", r"kelompok", r"serial", r"siri", r"s/n", r"sn", r"sku", r"bar ?code", r"kod bar", r"ean",
        r"upc", r"isbn", r"issn", r"imei", r"timestamp", r"ticket", r"tiket", r"po", r"p\.o\.", r"quotation",
        r"sebut ?harga", r"voucher", r"baucar", r"permit", r"meter", r"policy no", r"polisi", r"case", r"kes",
        r"fail", r"file", r"job", r"build", r"version", r"versi", r"model", r"part", r"item", r"product", r"produk",
        r"stok", r"stock", r"bil", r"bill", r"tender", r"lesen", r"chassis", r"casis", r"enjin", r"engine",
        r"shipment", r"kod", r"code", r"hash", r"commit", r"sample", r"sampel", r"rows?", r"j&t", r"poslaju",
        r"shopee", r"lazada", r"offset", r"index", r"byte", r"sst", r"gst", r"log", "订单", "发票", "运单", "单号", "编号", "追踪", "快递", "流水", "条码",
        "收据", "訂單", "發票", "ஆர்டர்", "விலைப்பட்டியல்", "ரசீது", "கண்காணிப்பு", "பார்சல்", "குறிப்பு எண்",
    ),
    "SSM": (
        r"ssm", r"roc", r"rob", r"pendaftaran syarikat", r"no syarikat", r"syarikat", r"company", r"co\.? no",
        r"co\. reg", r"registration no", r"reg\.? no", r"no\.? pendaftaran", r"brn", r"bhd", r"berhad",
        r"enterprise", r"perniagaan", r"business registration", r"plt", r"llp", "公司", "நிறுவன", "注册号",
    ),
    "TIN": (r"tin", r"cukai", r"tax", r"lhdn", r"hasil", "税号", "税务", "வரி"),
    "PASSPORT": (r"pas+port", r"pasport", r"travel doc(?:ument)?", r"dokumen perjalanan", "护照", "護照", "பாஸ்போர்ட்", "கடவுச்சீட்டு"),
}  # fmt: skip


def _table(latin: bool) -> dict[str, str]:
    return {
        spelling.strip(): name
        for name, expressions in reversed(_WORDS.items())
        for expression in expressions
        if expression[0].isascii() == latin
        for spelling in spellings(expression)
    }


_LATIN, _OTHER = _table(True), _table(False)
_SECONDS = frozenset(label.split(" ", 1)[1] for label in _LATIN if " " in label)
"""Words that end labels of two words."""
_FIND_OTHER = re.compile("|".join(sorted(_OTHER, key=len, reverse=True)))
# A word with the signs that labels have inside: `i/c`, `n.r.i.c`, `j&t`. The same read from its end.
_TOKEN = re.compile(r"[a-z]+(?:[./&'-]{1,2}[a-z]+)*")
_TIGHT = re.compile(
    r"(?:[\s:：#.=\-_\"'`*|>,()\[\]\\/]|no|nom|nombor|number|num|bil|id|is|ialah|adalah|was|are|saya|anda|my|your|the"
    r"|dia|his|her|nya|tu|ni|ini|new|baru|lama|是|为|号码|号|码|எண்|என்|for|bagi|card|kad)*"
)
REACH = 56


class Label(NamedTuple):
    """The nearest label before a place; `tight` when nothing but `no.`, `:` and the like stand between."""

    name: str
    tight: bool


NO_LABEL = Label("", False)


def label_before(text: str, start: int) -> Label:
    """The nearest label in the 56 characters before `start`, on the same line or the one above.

    Words are looked up one by one: an expression of all labels costs four times as much at each number.
    """
    before = text[start - REACH if start > REACH else 0 : start].lower()
    name, end = _last(before)
    if not before.isascii():
        for match in _FIND_OTHER.finditer(before):
            if match.end() > end:
                name, end = _OTHER[match[0]], match.end()
    if not name:
        return NO_LABEL
    rest = before[end:]
    return Label(name, not rest.strip(" :#.=-\"'") or _TIGHT.fullmatch(rest) is not None)


def _last(before: str) -> tuple[str, int]:
    """The last Latin label, of two words or one, and where it ends: read from the end, where most labels stand."""
    name, end = "", 0  # of a label of one word, which may be the second of a longer one: `identity card`
    following, size = "", len(before)
    for match in _TOKEN.finditer(before[::-1]):
        token = match[0][::-1]
        if following and (pair := _LATIN.get(f"{token} {following}")):
            return pair, end or size - match.start() + 1 + len(following)
        if name:
            break
        name = _LATIN.get(token) or ("" if token.isalpha() else _inside(token))
        if name:
            end = size - match.start()
            if token not in _SECONDS:
                break
        following = token
    return name, end


def _inside(word: str) -> str:
    """The label that is the last part of `no.kp` or `tel/hp`."""
    for mark in "./-&":
        if mark in word and (name := _LATIN.get(word.rsplit(mark, 1)[1])):
            return name
    return ""


def label_after(text: str, end: int) -> str:
    """The first label in the 20 characters after `end`, for `900101145678 (IC)`; empty when none."""
    after = text[end : end + 20].lower()
    for token in _TOKEN.finditer(after):
        if name := _LATIN.get(token[0]):
            return name
    other = None if after.isascii() else _FIND_OTHER.search(after)
    return _OTHER[other[0]] if other else ""

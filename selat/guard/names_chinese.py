"""Reads personal names in Chinese script: surname and given name, by title, label or the characters chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding

_SURNAME = (
    "陈林李黄王张吴刘蔡杨郑谢洪郭许曾邓廖叶苏周何罗高潘余卢钟胡梁朱冯徐孙马温游沈戴庄江曹彭魏傅范方石姚谭邱侯邹熊白唐薛雷毛龙赖孔倪"
    "严俞章鲁葛韦贺汤颜施古连翁丘涂卓骆甘柯尤巫简纪饶田丁宋韩袁董程吕任崔陆金夏秦尹黎易常武乔顾史龚邵钱覃陶莫符岑官丰蓝"
    "陳黃張吳劉楊鄭謝許鄧葉蘇羅盧鍾馮孫馬莊溫龍賴嚴湯顏連簡紀饒魯韋賀陸顧錢龔藍"
)
_GIVEN = (
    "志明伟强美玲秀英丽华芳建国俊杰慧敏静婷欣怡佳嘉家豪雪芬佩珊祥德成文军平红梅兰桂珍玉莲凤仙燕萍娟霞琴云翠爱贞淑贤惠雅诗诺"
    "思雨轩宇涵子梓浩然泽博晨阳辉光耀荣富贵财兴旺发福寿康宁安永健勇刚毅峰磊鑫淼森炎坤乾龙虎鹏飞翔凯旋胜利庆春夏秋冬"
    "晓小大中正义仁礼智信忠孝廉耻才学书翰墨琪琳瑶瑜瑾璇珠宝瑞祯祺福禄喜悦乐怀恩惠念慈莉莎娜妮薇蕾茜菲萱芸蓉蓓芷若"
    "汉良彬斌锋锐铭钧锦钰钦镇顺川海洋涛波江河清源润泉松柏枫桦楠桐树林森达远航程凡希望盼晴岚峻崇山岳岩"
    "伦理维绍绪继承宗祖耀光启开展拓新颖冠群超越跃腾炳焕煌灿炜烨勋勤俭朴诚恳实在益友朋伙伴善淳厚可心如意巧妙婉柔媚娇艳倩"
    "偉強麗華國傑靜鳳蓮愛貞賢詩諾軒澤陽輝榮貴財興發寧龍鵬飛凱勝慶曉義禮學書寶禎祿樂懷恩薇漢鋒銳銘鈞錦鎮順濤達遠維紹繼啟開"
    "添财水木火土金银友有亚阿妹妙香花春桃来雄彪彰锡锋炽权全标鉴洲洪鸿宏弘颂健贤钊权昌盛世民展鹏韵琦彤彦琛琬琰娴嫣嫦娥"
    "兆骏奕圣恒逸尚佑佐仲孟仕修允凌卓吉咏妍姗姿婵媛宪宽尧岱帆庭彬徽懋扬振捷敦斐旭昆昕昭晋晏晖晟晶曜曼朋栋桐樱毓沁沛沐泓泰泳津淇淑清湘潇澄炫煊煜熙牧珂珏珑琨琮瑛瑄璐璟璧皓盈睿碧祖"
    "秉竣筠素紫纯纶绮翊翎翰耘聪胤舒舜艺苑苡茵荃莹菁萌葵蔚蕊蕙虹誉谊豪赫迪逊邦郁钟铃铠锟镕霆霏霖韬韶馨骁骥鸣鸾麒麟黎"
)
_TITLE = "先生|小姐|女士|太太|老师|医生|经理|律师|师傅|校长|部长|主任|教授|博士|同学|夫人|老板|阿姨|叔叔|大哥|姐|哥|先生"
_LABEL = (
    "姓名|名字|我叫|名叫|叫做|叫|联系人|聯絡人|联络人|收件人|寄件人|患者|病人|客户|户名|投诉者|投诉人|老板|朋友|同事|员工|学生|校长|经理|持卡人|申请人"
    "|负责人|受益人|证人|嫌犯|死者|伤者|事主|被告|原告|租客|房东|妈妈|爸爸|丈夫|太太|妻子|儿子|女儿|姐姐|妹妹|哥哥|弟弟|议员|部长|首相|总理|主席|司机"
    "|老师|医生|律师|联系|找|问|感谢|致|我是|本人|签名|记者|作者|歌手|演员|选手|球员|家属|业主"
)
_STRONG_LABEL = "姓名|名字|我叫|名叫|叫做|联系人|聯絡人|联络人|收件人|寄件人|户名|持卡人|申请人|投诉者|投诉人|本人|签名|患者|嫌犯|死者|事主|被告|原告|受益人|我是"
_NEWS = (
    "安华|马哈迪|纳吉|慕尤丁|依斯迈沙比里|阿末扎希|扎希|哈迪阿旺|哈迪|拉菲兹|法米|莫哈末沙布|莫哈末哈山|沙努西|阿米鲁丁|赛沙迪|凯里|旺阿兹莎|努鲁依莎|希山慕丁"
    "|法迪拉|阿邦佐|哈芝芝|东姑|特朗普|拜登"
)
_NOT_NAMES = re.compile(
    "(?:马来|高温|黄金|黄昏|王国|林业|方面|方法|方便|白天|白色|金额|金融|金钱|江山|石油|石头|古老|连续|连接|常见|常常|任何|任务|程序|程度|夏天|武器|章程|简单"
    "|纪念|施工|温度|游客|游戏|周末|周年|周围|何时|何况|高兴|高级|高中|高度|许多|许可|马上|马路|马航|唐人|龙舟|雷雨|毛病|曾经|余下|朱红|田地|丁香|于是|易于|莫非"
    "|安全|王子|王室|高达|张开|张力|单位|符合|官方|丰富|蓝色|钱包|钱财|陆地|陆续|史上|顾客|顾问|叶子|华人|文明|古晋|白沙|金马|大马|大山|江河|石山|林明|高山|黄河|黄海|江海|金山"
    "|白海|方程|时光|夏秋|春夏|金银|连带|连同|连贯|马力|马英|洪水|洪福|温泉|温柔|温婉|白玉|白银|高峰|高雄|高雅|高超|高远|金宝|金星|金玉|金光|金山|龙凤|龙虎|龙山|石林|田园|严正|严明)"
)

_HAN = "[\u4e00-\u9fff]"
_S, _G = f"[{_SURNAME}]", f"[{_GIVEN}]"
TRIGGERS = (
    rf"(?:{_TITLE})",
    rf"(?:{_LABEL})",
    rf"(?:{_NEWS})",
)

_TITLED = re.compile(rf"({_S}{_HAN}{{0,2}}?|[欧司诸上阿]{_HAN}{_HAN}{{0,2}}?)(?:{_TITLE})")
_LABELLED = re.compile(rf"(?P<label>{_LABEL})(?P<mark>[是为：:\s]{{0,3}})(?P<name>{_S}{_HAN}{{1,2}})")
_FREE = re.compile(rf"{_S}{_G}{{2}}|欧阳{_G}{{1,2}}")
_SPEAKER = re.compile(rf"({_S}{_G})(?=说|表示|指|认为|透露|（|，)")
_KNOWN = re.compile(_NEWS)
_SEEK = re.compile(rf"{_S}{_G}(?:{_G}|说|表示|指|认为|透露|（|，)")
_PLACE_AFTER = re.compile(
    "路|街|大学|学院|医院|学校|花园|中学|小学|华小|公司|集团|机场|清真寺|基金|奖|杯|体育馆|大道|站|会馆|县|州|市"
)


def seek(text: str) -> list[int]:
    """Where a surname with two characters of given names ends. Alternations of hundreds of characters take
    hyperscan many seconds to compile, while `re` tells by one table that a character is no surname."""
    return [match.end() for match in _SEEK.finditer(text)]


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        if end <= done:
            continue
        span = _span(text, max(done, end - 12), end)
        if span and not _PLACE_AFTER.match(text, span[1]):
            done = span[1]
            yield Finding(*span, "NAME", 0.8)


def _span(text: str, floor: int, end: int) -> tuple[int, int] | None:
    ceiling = min(len(text), end + 6)
    for match in _TITLED.finditer(text, floor, ceiling):
        if match.end() >= end - 1 and not _NOT_NAMES.match(match[0]):
            name = match[1]
            return (match.start(), match.end(1)) if len(name) > 1 else (match.start(), match.end())
    for match in _LABELLED.finditer(text, floor, ceiling):
        if match.end("name") >= end and not _NOT_NAMES.match(match["name"]):
            size = _size(match["name"], re.fullmatch(_STRONG_LABEL, match["label"]) is not None)
            if size:
                return match.start("name"), match.start("name") + size
    for match in _FREE.finditer(text, floor, ceiling):
        if match.end() >= end and not _NOT_NAMES.match(match[0]) and not _NOT_NAMES.match(match[0][1:]):
            return match.span()
    for pattern in (_KNOWN, _SPEAKER):
        for match in pattern.finditer(text, floor, ceiling):
            if match.end() >= end - 2 and not _NOT_NAMES.match(match[0]):
                return match.start(), match.start() + len(match[0])
    return None


def _size(name: str, strong: bool) -> int:
    """How many characters of `name` are the name: surname and two, surname and one, or none."""
    given = [char in _GIVEN for char in name[1:]]
    if len(given) == 2 and all(given):
        return 3
    if given[0]:
        return 3 if strong and len(given) == 2 and name[2] not in "的在说是，和住也已说要被与于因" else 2
    return 3 if strong and len(given) == 2 and (given[1]) else 0

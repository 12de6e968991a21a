"""Whether a text speaks to its judge: orders it about, dictates its answer, forges its prompt.

No list of phrases is complete: it has every trick of our 200 test injections, and of thirty
written afterwards it caught three. What keeps a post from being talked through is that a judge
only ever adds to what others find, and that its answer must hold a code which no text can know.
This is one more obstacle for the crude ones. What it catches wrongly (two ordinary posts of a
thousand, and any talk about language models) costs no more than a judge's "nothing found".
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from bisect import bisect_left
from collections.abc import Iterator
from urllib.parse import unquote_plus

from moderation.text.normalise import bases, canonical, joined, raw_view, unleeted
from moderation.vocabulary import Category

# Words that belong together stand about a sentence apart at most.
_NEAR_CHARS = 80

# --- forged prompts and answers ----------------------------------------------------------------

_TEMPLATE = re.compile(
    r"<[|｜]|[|｜]>"
    r"|\[/?inst\]|<</?sys>>|<(?:begin|end)[ _]|</?(?:start|end)_of_turn>"
    r"|<\s*/?\s*(?:system|instructions?|think|tool_\w+|function_\w+|assistant|developer)\b"
    r"|(?:^|[\n>#\[\-*|]|\b(?:role|and))[ \t]*[\"'*#\[]*"
    r"(?:system|assistant|developer|admin(?:istrator)?)"
    r"(?: (?:message|prompt|update|note|override))?"
    r"[\"'*\]]*[ \t]*(?::|\(|\n)"
    r"|\b(?:role|content)[\"']?\s*:\s*[\"']?(?:system|assistant|user)\b"
    r"|#{2,} ?(?:response|answer|output|verdict|instructions?)\b"
    r"|\{\{.{0,40}(?:system|receipt)|[#~]system\b",
    re.MULTILINE,
)
_NAMES = "|".join(
    sorted(
        {name.replace("_", "[_ -]") for name in Category.values}
        | {"scores?", "verdict", "flagged", "classification", "receipt", "moderation", "label"},
        key=len,
        reverse=True,
    )
)
_ANSWER = re.compile(
    rf"\b(?:{_NAMES}|unsafe)\b[\"'\\)>*]*\s*(?:[:=|>]|\\text|is\b)[\s\"'\\{{}}=<>|]*(?:\\?text\{{)?"
    r"(?:0(?:\.0\d*)?(?![\d.]|,\d)|zero|safe|allow|approve|benign|clean|false|null|none|harmless)"
)
_REPEATED = re.compile(r"(?:\bsafe\b\W+){3}")

# --- words of the trade ------------------------------------------------------------------------

_FAMILIES = {
    # How a post is let off.
    "favour": r"zero(?:e?s)?|0(?:[.,]0+)?(?!\w|[.,:]\d)|safe|harmless|(?:in)?offensive|benign"
    r"|(?:pre-?)?approv(?:e[sd]?|al)|allow(?:ed|s|ing)?|acquits?|clean|lowe(?:st|r)|low|minimal"
    r"|minimum|none|nothing|not hateful|no (?:violation|need|hate|penalty)|exempt\w*|whitelist\w*"
    r"|trusted|acceptable|blessing|overlook|praise|passe[sd]|pass (?:it|this)|empty|through"
    r"|opposite|administrator",
    # What only a judge of posts deals with.
    "judging": r"scor(?:es?|ed|ing)|rat(?:e|ed|es|ing)|verdict|classif(?:y|ier|ied|ication)\w*"
    r"|categor(?:y|ies)|labell?ed|evaluat\w+|moderat(?:e|ion|ors?)\w*|flagg(?:ed|ing)|rubric"
    r"|(?:mark|grade) (?:it|this|the|every\w*|all)|toxicity|penalt(?:y|ies)|ai|llms?|gpt"
    r"|(?:language|large|the|for|moderation) models?|assistant|\w*bot|reviewer|judge|jailbr\w+"
    r"|(?:your|the|my) developer|(?:inverted|inverse) scale"
    r"|guidelines|instructions?|prompts?|this (?:content|message|post|text)|receipt|nonce"
    r"|every (?:field|number)|all \w+ numbers|polic(?:y|ies)",
    "rules": r"instructions?|prompts?|rules?|guidelines?|polic(?:y|ies)|directives?|task|mode"
    r"|commands?|codes?|receipt|nonce",
    "undo": r"ignor(?:e|es|ed|ing)|disregard\w*|forget|overrid(?:e|es|den)|bypass|cancel\w*|reset"
    r"|skip|stop|print|repeat|reveal|new|previous|out of date|broken|maintenance|opposite",
    "part": r"pretend|act as|act like|role-?play\w*|imagine|simulate|you are now|you're now"
    r"|take the role|let's play|answer as|opposite day|in this story|treat me",
    "this": r"(?:allow|approve|acquit) (?:it|this|these|the|all|every\w*)",
    "you": r"you|your|please|respect",
}
_WORDS = {name: re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") for name, pattern in _FAMILIES.items()}
# A text that has a word of both speaks to its judge.
_PAIRS = (
    ("judging", "favour"),
    ("judging", "part"),
    ("undo", "rules"),
    ("rules", "this"),
    ("part", "favour"),
    ("you", "this"),
)
_QUOTED = re.compile(
    r"(?<!\w)(?:say|says|said|answer\w*|respond|reply|output\w*|word|token|print|first|think)"
    r"[^.\n]{0,30}(?<!\w)['\"]?(?:zero|0|safe|harmless|benign|approved|allow)(?!\w|[.,:]\d)"
)

_ALL_ZERO = re.compile(
    r"(?:\ball\b|every|each|alle[nmrs]?\b|überall|partout|tou(?:s|tes|t)\b|tod[oa]s?\b|tutt[ioe]\b"
    r"|все[мхй]?\b|wszystk|全部|所有|すべて|全て|모든|모두)[^.\n]{0,30}(?<![\d.,])0(?!\w|[.,:]\d)"
    r"|(?<![\d.,])0 (?:aus|por|para|pour|für|for|in) (?:all|every|each|tod|tou)"
)
# Stems of "ignore", of "instructions" and of "zero, safe, score" in other languages.
_ELSEWHERE = tuple(
    (re.compile(undo), re.compile(rules))
    for undo, rules in (
        (r"ignorier|vergiss|missacht|überge", r"anweisung|regel|vorgabe|bewert"),
        (r"ignore[zr]|oublie", r"instruction|consigne|règle|score|note"),
        (r"ignora|olvida|omite", r"instruccion|reglas|puntuaci|seguro"),
        (r"ignora|dimentica", r"istruzion|regole|punteggio"),
        (r"ignor[ea]|esque[çc]a", r"instruç|regras|nota|pontua"),
        (r"negeer|vergeet", r"instructie|regels|score"),
        (r"ignorer|glöm|bortse|glem|ohita|unohda", r"instruktion|regler|poäng|ohje|pistei"),
        (r"zignoruj|zapomnij|ignoruj", r"instrukcj|zasad|oce[nń]|pokyn|pravid|skóre"),
        (r"игнориру|забудь|ігнору|забудь", r"инструкц|правил|оцен|ноль|інструкц|нуль"),
        (r"忽略|无视|無視|忘记|忘れ", r"指令|指示|规则|規則|零分|安全"),
        (r"무시|잊어", r"지시|규칙|점수|안전"),
        (r"تجاهل|انس", r"تعليمات|قواعد|درجة|صفر"),
        (r"התעלם|שכח", r"הוראות|כללים|ציון|אפס"),
        (r"अनदेखा|भूल", r"निर्देश|नियम|अंक|शून्य"),
        (r"yok say|unut|görmezden", r"talimat|kural|puan|sıfır"),
        (r"bỏ qua|quên", r"hướng dẫn|chỉ dẫn|điểm|quy tắc"),
        (r"abaikan|lupakan", r"instruksi|aturan|arahan|skor"),
        (r"αγνόησε|ξέχασε|αγνοησε|ξεχασε", r"οδηγί|κανόν|βαθμολογ|οδηγι|κανον"),
        (r"ไม่ต้องสนใจ|เพิกเฉย|ละเว้น", r"คำสั่ง|กฎ|คะแนน"),
        (r"ignor[aă]|uit[aă]", r"instruc[tț]iun|regul|scor"),
        (r"neglege|ignora|obliviscere", r"praecept|regul|aestima|nulla"),
    )
)

# --- disguises ---------------------------------------------------------------------------------

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){12,}")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_SPACED_LETTERS = re.compile(r"(?:\b\w ){5}")
_GAP = re.compile(r"[ \t]{2,}")


def speaks_to_its_judge(text: str) -> bool:
    """Whether a text tries to say how it is to be judged, in the open or disguised."""
    return any(map(_speaks, _readings(text)))


def _speaks(text: str) -> bool:
    if _TEMPLATE.search(text) or _ANSWER.search(text) or _REPEATED.search(text):
        return True
    if _QUOTED.search(text) or _ALL_ZERO.search(text):
        return True
    if any(undo.search(text) and rules.search(text) for undo, rules in _ELSEWHERE):
        return True
    places = {
        name: [found.start() for found in word.finditer(text)] for name, word in _WORDS.items()
    }
    return any(_are_near(places[one], places[other]) for one, other in _PAIRS)


def _are_near(these: list[int], those: list[int]) -> bool:
    for place in these:
        at = bisect_left(those, place - _NEAR_CHARS)
        if at < len(those) and those[at] <= place + _NEAR_CHARS:
            return True
    return False


def _readings(text: str) -> Iterator[str]:
    """Yield the text in lower case as it stands and as its disguises may be meant."""
    for base in bases(text):
        plain = canonical(base.text).text
        yield base.text.lower()
        yield plain
        view = raw_view(plain)
        if (closed := joined(view)) is not None:
            yield closed.text
        if (unmasked := unleeted(view)) is not None:
            yield unmasked[0].text
    yield from (reading.lower() for reading in _decoded(text))


def _decoded(text: str) -> Iterator[str]:
    yield codecs.encode(text, "rot13")
    yield text[::-1]
    if _SPACED_LETTERS.search(text):
        yield " ".join(word.replace(" ", "") for word in _GAP.split(text))
    yield html.unescape(text)
    yield unquote_plus(text)
    yield _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    for found in _TAGS.finditer(text):
        yield "".join(chr(ord(char) - 0xE0000) for char in found[0])
    for found in _BASE64.finditer(text):
        yield _from_base64(found[0])
    for found in _HEX.finditer(text):
        yield bytes.fromhex(found[0]).decode(errors="replace")


def _from_base64(text: str) -> str:
    plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    whole = plain[: len(plain) // 4 * 4]
    try:
        return base64.b64decode(whole).decode(errors="replace")
    except binascii.Error:
        return ""

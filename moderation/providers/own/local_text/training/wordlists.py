"""Compile the word lists that ship with Gatehouse from their sources. Used when training only.

The sources are the English list of Surge AI (MIT), which rates each term's severity, and LDNOOBW
(CC BY 4.0) for other languages, which does not. Both hold words that are ordinary more often than
not; those are left out here by hand.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from moderation.providers.own.local_text.lexicon import Entry
from moderation.vocabulary import Category

_LISTED_LANGUAGES = (
    "ar", "cs", "da", "de", "eo", "es", "fa", "fi", "fil", "fr", "hi", "hu", "it", "ja", "kab",
    "ko", "nl", "no", "pl", "pt", "ru", "sv", "th", "tr", "zh",
)  # fmt: skip

# Rated mild by the source (below 1.6 of 3), so left out, except these.
_MILD_BUT_KEPT = frozenset(
    """shit shits shite shitty shittier shittiest shitting shitted shitter shithead bullshit
    horseshit dogshit batshit apeshit dipshit piss pissed pissing ass asses asshole arse arsehole
    jackass dumbass fatass asshat bastard bitch bitchy bitching biatch son of a bitch sonofabitch
    dick dicks dickhead cock prick pricks wank wanker wankers tosser bollocks bellend knobhead
    douche douchebag tits boobs pussy pussies blowjob blow job jerk off jerking off boner
    butthole twink goddammit goddamned""".split()
) | frozenset({"son of a bitch", "blow job", "jerk off", "jerking off", "shut the fuck up"})

_ORDINARY: dict[str, frozenset[str]] = {
    language: frozenset(words.replace("\n", " ").split())
    for language, words in {
        "en": """abbie bates bater bbc bender bondage bung buttermilk coolie coot cracker crow
            crows dago diddle dix dong finger flamer flamers focker fook forked fuc fugger gowl
            greaser gyp hoar hustler injun jim klan knickers knob mong mongrel muff nicker nicka
            nip nuggets peter pecker puss ramrod redskin sack sambo scut shet sheet shat shylock
            slag slit snatch spook spooks spig spik spick swine tart tramp wang wop bishes biches
            rectum anal anus vulva sperm crotch booty breasts spunk nonce sissy suck cooties
            transvestite mongoloid hooters negra nig nigs jiggs jigga higga higger higgers cholo
            blacky feg paki's fick gook's mfs pedo pedos milf kkk negro negroes negroid fuk's
            azz twa+ f'ed f'er s&m 69 dike bum ho cum's hoe hoes dyke homo homos queers retard
            tard coon jap whoar phuc""",
        "ar": "ثدي بيضان حلمة لحس لعق مبادل شاذ فرج قضيب جماع شهوة بز احتلام اغتصاب خنثي خول عرص مص شرج",
        "cs": "debil držka žrát čumět bordel sračka flundra",
        "da": "anus pis cock",
        "de": """nackt popel poppen rosette mufti kimme ische bonze bimbo pinkeln pissen schiesser
            orgasmus penis nippel fratze möpse milf vögeln schabracke lümmel bumsen reudig porno
            morgenlatte dödel""",
        "eo": "fek zamenfek kacen bugri",
        "es": """asesinato asno bastardo caca concha culo drogas esperma heroína idiota imbécil
            infierno maldito martillo nazi orina pedo pervertido pinche pis prostituta racista
            semen sexo sádico travesti trio verga vulva maciza mamada marica pezón""",
        "fa": "برهنه تجاوز حشر داف سوپر منی هرزه شهوت کون کس لخت لش لاپا تخمی ارگاسم کوس",
        "fi": """haahka hitto jätkä muna naida nainti palli pallit panna pano pehko pipari piru
            pantava jutku jutsku hässiä lahtari molo paskanmarjat pilkunnussija perkele kusi
            kulli kusta paneskella panettaa pyllistää reva ruotsalainen toosa suksi takapuoli""",
        "fil": "tanga bayag bobo ulol",
        "fr": """baiser bander bigornette bite bitte bourré bourrée caca chatte chiasse con conne
            cul folle gerbe gerber gueule jouir meuf pédale péter pipi pisser ramoner suce tanche
            trique zizi ménage negro nègre étron tapette bordel brackmard bloblos teuch déconne
            déconner clitoris clito""",
        "hi": "bhangi chamar aand gaand saala saali",
        "hu": """barom barmok barmokat barmot marha marhák marhákat marhát pele pelék pofa pofákat
            pofát buksza bukszák bukszákat bukszát franc francok francokat francot pina pinák
            pinákat pinát fing fingok fingokat fingot búr búrok kúr megdöglik tök tökök""",
        "it": """anale arrapato bagnarsi balle battere biga boiata bordello brinca cadavere casci
            cesso femminuccia fava fica figa finocchio ingoio lofare mona monta montare mussa
            padulo palle patacca pesce picio pippa pipì pisello pomiciare potta rizzarsi
            rompere sbattere schiantare spagnola sticchio succhiami tirare topa trombare uccello
            vacca venire zinne mannaggia imbecille cornuto loffa cagna pecorina tette gnocca
            quaglia ravanare regina rincoglionire raspare sborone pompino""",
        "ja": "いたずら xx sm 3p s&m 女の子 巨乳 水着 ポルノ セックス 裸 緊縛 緊縛",
        "kab": "",
        "ko": "강간 개 변태 성교 섹스 자위 포르노 호로 후장 좌식 불알",
        "nl": """afberen afrossen aftrekken anita asbak aso balen bekken beurt boemelen buffelen
            del drol gat griet hol johny kanen kettingzeug koffer lul naad naaien ouwehoer paal
            palen penoze piesen pijpen pik pissen poep poot portiek pot potverdorie schoft sex
            slang sloerie spuiten stoephoer stoot stront suiker tieten uilskuiken vent verdomme
            vingeren voor wallen zak zeiken zeiker zuigen zwerver bedonderen belazeren eikel
            engerd flikken flikker klooien""",
        "no": "dritt fan fanken faen forbanna forbannet helvete helvetet pokker satan sinnsykt skitt ræven",
        "pl": "dmuchać dupek jajco jajko rzygać syf debil suka cyc burdel duperele",
        "pt": """aborto amador aranha ariano balalao bastardo bicha boob bumbum burro cabrao
            camisinha cerveja chupar clitoris cocaína coito comer cona consolo corno cu fecal
            gozar grelho heroína heterosexual homoerótico homosexual inferno lésbica lolita mama
            pau peidar pinto pênis saco torneira transar veado vibrador bissexual bosta vadia
            ânus xana cacete porra foda""",
        "ru": "gol byk bugor uboy padlo petuh бугор встать жопа задница говно баба",
        "sv": "brutta fan hård mutta olla pippa pitt sås stake helvete moona skita subba satan tusan prutt",
        "th": "กะปิ กู มึง ขี้ จู๋ เจี๊ยว เจ๊ก จิ๋ม ตูด นม อี เหี้ย หำ ปี้ หี ล้างตู้เย็น ฝัก",
        "tr": """am amı amlar çingene çük meme memeler memede sik sikti göte götü top mal gavat
            öküz gerizekalı götten götte""",
        "zh": """13. 13点 九游 乳 乳房 乳头 乳交 仆街 他妈的 你妈的 生殖 强奸 阴道 阴唇 阴茎 做爱 性交 精液
            自慰 处女 裸体 妓女 三级片 下贱 卖淫 大便 小便 屁股 肛门 放屁 月经 火车 手淫 奶子 老二""",
    }.items()
}
# In Han script one sign is a word, and part of countless others.
_SHORTEST = 3
_SHORTEST_WITHOUT_GAPS = 2


def compile_lexicon(lexicons: Path) -> list[Entry]:
    """Return the entries of all lists in the folder, sorted, each term once a language."""
    entries = {(entry.language, entry.term.casefold()): entry for entry in _all(lexicons)}
    return sorted(entries.values(), key=lambda entry: (entry.language, entry.term))


def write_lexicon(entries: list[Entry], path: Path) -> None:
    """Write the entries as gzipped TSV, the same bytes for the same entries."""
    lines = io.StringIO()
    for entry in entries:
        scores = ",".join(f"{name}={score:g}" for name, score in sorted(entry.scores.items()))
        lines.write(f"{entry.language}\t{entry.term}\t{scores}\n")
    with gzip.GzipFile(path, "wb", mtime=0) as out:
        out.write(lines.getvalue().encode())


def _all(lexicons: Path) -> Iterator[Entry]:
    yield from _english(lexicons / "surge_profanity_en.csv")
    for language in _LISTED_LANGUAGES:
        yield from _other(lexicons / "ldnoobw" / language, language)


def _english(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            term = row["text"].strip().lower()
            rating = float(row["severity_rating"])
            if len(term) < _SHORTEST or term in _ORDINARY["en"]:
                continue
            if rating < 1.6 and term not in _MILD_BUT_KEPT:
                continue
            yield Entry("en", term, _english_scores(row["category_1"], rating))


def _english_scores(kind: str, rating: float) -> dict[Category, float]:
    """Spread severity 1 to 3 over 0.4 to 0.68: a swearword alone warns, it does not hide."""
    scores = {Category.PROFANITY: round(0.4 + (rating - 1) * 0.14, 2)}
    if kind.startswith("racial") and rating >= 2.4:
        scores[Category.HATE] = round(0.55 + (rating - 2.4) * 0.3, 2)
        scores[Category.TOXIC] = scores[Category.HATE]
    if kind.startswith("sexual anatomy") and rating >= 2:
        scores[Category.SEXUAL] = 0.3
    return scores


def _other(path: Path, language: str) -> Iterator[Entry]:
    for line in path.read_text(encoding="utf-8").splitlines():
        term = line.strip().casefold()
        shortest = _SHORTEST_WITHOUT_GAPS if language in ("zh", "ja", "ko") else _SHORTEST
        if len(term) < shortest or term in _ORDINARY.get(language, ()):
            continue
        yield Entry(language, term, {Category.PROFANITY: 0.62, Category.TOXIC: 0.56})

"""Phrases that alone say what they mean: threats, wishes of death, solicitation, come-ons.

Written for RE2 (no look-around), matched against text in canonical form, i.e. in lower case. The
score is what share of such uses, in our judgement, a moderator would act on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import re2

from moderation.vocabulary import Category


@dataclass(frozen=True, slots=True)
class Phrase:
    """A pattern, the scores it is worth, and a pattern that, found as well, takes it back."""

    pattern: str
    scores: dict[Category, float]
    unless: str = ""


_YOU = r"(?:you|u|ya|y'?all|him|her|them)"
_YOURS = r"(?:your?|ur|his|her|their)"
_WILL = (
    r"(?:i|we)(?:'?ll| will| swear i'?ll| am going to|'?m going to|'?m gonna| am gonna| gonna"
    r"| shall|'?m about to)"
)
_FILLER = r"(?: (?:fucking|fuckin|just|literally|really|personally|so|find you and|hunt you down and|come and|come over and|slowly|kill and)){0,2}"
_GROUP = (
    r"(?:jews?|muslims?|christians?|hindus?|gays?|lesbians?|homosexuals|blacks|black people"
    r"|whites|white people|arabs?|asians?|mexicans?|indians|africans|immigrants?|migrants?"
    r"|refugees?|foreigners|women|trans(?: people|gender people|genders)?|gypsies|roma|latinos"
    r"|disabled people|cripples)"
)
_INSULT = (
    r"(?:idiots?|morons?|losers?|imbeciles?|cretins?|retards?|scum(?:bags?)?|trash|garbage|vermin"
    r"|pieces? of (?:shit|crap|garbage|trash)|wastes? of (?:space|oxygen|life|air|skin)|bitch(?:es)?"
    r"|whores?|sluts?|cunts?|assholes?|dumbass(?:es)?|dumbfucks?|fuckers?|motherfuckers?|bastards?"
    r"|pigs?|rats?|cowards?|pricks?|dickheads?|wankers?|twats?|degenerates?|freaks?|clowns?)"
)
_MEAN = (
    r"(?:fucking|fuckin|stupid|dumb|worthless|pathetic|ugly|fat|disgusting|useless|miserable|filthy"
    r"|dirty|ignorant|little|complete|total|absolute|utter|such|brainless|lying|damn|god ?damn)"
)

T, V, H = Category.THREAT, Category.VIOLENCE, Category.HARASSMENT
TOX, HATE, SELF = Category.TOXIC, Category.HATE, Category.SELF_HARM
SEX, SPAM, ILL = Category.SEXUAL, Category.SPAM, Category.ILLICIT

_GRAVE = {T: 0.93, V: 0.9, H: 0.85, TOX: 0.85}
_SERIOUS = {T: 0.78, V: 0.76, H: 0.75, TOX: 0.75}
_DEATH_WISH = {H: 0.87, T: 0.72, V: 0.7, TOX: 0.86}
_HATE = {HATE: 0.87, TOX: 0.82}

PHRASES: tuple[Phrase, ...] = (
    # Threats.
    Phrase(
        rf"\b{_WILL}{_FILLER} (?:kill|murder|stab|shoot|strangle|behead|slaughter|butcher|execute"
        rf"|hang|rape|gut|skin|lynch|choke|drown) {_YOU}\b",
        _GRAVE,
        unless=r"\b(?:shoot (?:you|u|ya|them|him|her) (?:a|an|the|over|some|that|my)\b|hang you(?:r| up)\b)",
    ),
    Phrase(rf"\b{_WILL}{_FILLER} (?:hurt|end|cut|burn|destroy|punch|smash) {_YOU}\b", _SERIOUS),
    Phrase(
        r"\b(?:kill|murder|stab|shoot|strangle|rape|behead|slaughter) (?:you|u|ya|your (?:whole |entire )?"
        r"(?:family|kids|children|mom|mother|wife|dad|dog))(?: |$|[,.!])",
        {T: 0.6, V: 0.6, TOX: 0.55},
    ),
    Phrase(r"\bbeat (?:you|u|him|her|them) (?:up|to death|to a pulp|bloody|senseless)\b", _SERIOUS),
    Phrase(r"\b(?:beat|kick|punch|knock) the (?:shit|crap|hell|living \w+) out of (?:you|u|him|her|them)\b", _SERIOUS),
    Phrase(rf"\b(?:slit|cut) {_YOURS} throat", _GRAVE),
    Phrase(rf"\bput a bullet (?:in|through|between) (?:you\b|{_YOURS} )", _GRAVE),
    Phrase(rf"\b(?:bash|smash|cave|kick|blow)(?:ing)? {_YOURS} (?:head|skull|face|brains?|teeth)(?: in| out| off)?\b", _SERIOUS),
    Phrase(rf"\b(?:break|snap|wring)(?:ing)? {_YOURS} (?:neck|legs?|bones|jaw|face|arms?|fingers)\b", _SERIOUS),
    Phrase(r"\b(?:shoot|blow|shooting|bomb) up (?:the|a|my|your|this|that) (?:school|church|mosque|synagogue|mall|office|place|club)\b", _GRAVE),
    Phrase(r"\b(?:i'?m|i am|we'?re|i'?ll|i will|going to|gonna) (?:going to |gonna )?bomb (?:the|your|this|that|a) \w+", _GRAVE),
    Phrase(rf"\b(?:find|hunt|track) {_YOU} (?:down )?and (?:kill|hurt|stab|beat|shoot|rape|end)", _GRAVE),
    Phrase(r"\byou(?:'?re| are| will be|'?ll be) (?:a )?(?:so |fucking )?dead (?:man|meat|to me and)\b|\byou(?:'?re| are) so dead\b", {T: 0.72, TOX: 0.6}),
    Phrase(r"\byou(?:'?re| are) (?:going to|gonna) (?:die|bleed|suffer)\b", {T: 0.72, V: 0.66, TOX: 0.6}),
    Phrase(r"\b(?:better )?watch your back\b", {T: 0.56}),
    Phrase(r"\bi know where (?:you|u|your \w+) (?:live|work|sleep|go to school)s?\b.{0,40}\b(?:kill|hurt|dead|watch|careful|regret|visit|sorry|coming)", _SERIOUS),
    # Wishes of death and incitement to suicide.
    Phrase(
        r"\b(?:i )?(?:hope|wish|pray) (?:that )?(?:you|u|ya|they|he|she|y'?all|your \w+)(?: all| both| just)? "
        r"(?:die|dies|burn|rot|choke|suffer|bleed|drown|get (?:killed|raped|shot|cancer|aids|hit by|run over|stabbed|beaten)|drop dead|never wake up)",
        _DEATH_WISH,
    ),
    Phrase(
        r"\b(?:you|u|they|he|she|y'?all|your kind|people like you) (?:all )?(?:deserve|deserves|need|needs|ought) to (?:die|burn|suffer|be (?:killed|shot|raped|hanged|hung|lynched|put down|beaten|executed))",
        {H: 0.82, T: 0.72, V: 0.78, TOX: 0.85},
    ),
    Phrase(r"\b(?:you|u|they|he|she|traitors|politicians|journalists) (?:all )?(?:should|must) (?:all )?be (?:killed|shot|hanged|hung|executed|lynched|gassed|exterminated|beheaded|stoned)", {V: 0.82, T: 0.6, TOX: 0.78, H: 0.6}),
    Phrase(
        r"\b(?:kill|off|neck|hang|shoot) (?:yourself|yourselves|urself|ur self|your self)\b|\bkys\b",
        {H: 0.9, SELF: 0.78, TOX: 0.87},
        unless=r"(?:don'?t|do not|never|not to|won'?t|please not|stop you from|without|before you|nobody should|instead of)\b.{0,20}\b(?:kill|off|neck|hang|shoot)",
    ),
    Phrase(r"\bgo (?:and )?(?:die|drink bleach|jump off a|play in traffic|choke on|hang yourself|slit your)\b", _DEATH_WISH),
    Phrase(r"\bdie (?:in a (?:fire|hole|ditch)|slowly|already|you|bitch|scum|alone and)\b", _DEATH_WISH),
    Phrase(r"\bdrop dead\b|\b(?:rot|burn) in hell\b", {H: 0.7, TOX: 0.72}),
    Phrase(r"\b(?:the )?world (?:would be|is|will be) (?:a )?(?:much |far |so much )?better (?:off |place )?without (?:you|u|him|her|them)\b", {H: 0.88, TOX: 0.82}),
    # Insults to someone's face.
    Phrase(
        rf"\b(?:you|u|ya|you'?re|ur|u r|you are|your)(?: all| both| guys)?(?: just| really| nothing but)?(?: an?)?(?: {_MEAN})* {_INSULT}\b",
        {H: 0.78, TOX: 0.76},
        unless=r"\b(?:you are|you'?re) (?:not|no|never) |\b(?:trash|garbage) (?:can|bin|day|bag|collection|disposal|truck)|your (?:rats?|pigs?|trash|garbage|freak|clown)",
    ),
    Phrase(rf"\b(?:you|ya) (?:{_MEAN} )+(?:idiot|moron|{_INSULT}|person|human|creature|man|woman|boy|girl|fool|liar|thing)\b", {H: 0.86, TOX: 0.84}),
    Phrase(r"\b(?:you|u)(?:'?re| are| r) (?:all )?(?:so |such a |fucking |just |really )*(?:ugly|fat|stupid|dumb|pathetic|worthless|disgusting|useless|brainless|retarded|an embarrassment)\b", {H: 0.73, TOX: 0.72}),
    Phrase(r"\bfuck (?:you|u|off|ya|yourself)\b|\bgo fuck (?:yourself|urself)\b|\bf u c k y o u\b", {H: 0.78, TOX: 0.8}),
    Phrase(rf"\b(?:shut up|stfu|shut the fuck up)[, ]+(?:you )?(?:{_MEAN} )*{_INSULT}\b", {H: 0.82, TOX: 0.8}),
    Phrase(r"\b(?:nobody|no one|noone) (?:likes|loves|wants|cares about|would miss|will miss) (?:you|u)\b", {H: 0.76, TOX: 0.66}),
    Phrase(r"\b(?:everyone|everybody|we all) hates? (?:you|u)\b", {H: 0.77, TOX: 0.7}),
    Phrase(r"\byour (?:mother|mom|mum|sister|wife) is an? (?:\w+ )?(?:whore|slut|bitch|pig|cow)\b", {H: 0.86, TOX: 0.84}),
    # Hate against groups.
    Phrase(rf"\b(?:i|we) (?:fucking |really |just )?(?:hate|despise|can'?t stand|detest) (?:all |the |those |these |fucking )*{_GROUP}\b", _HATE),
    Phrase(
        rf"\b{_GROUP} (?:are|is|r) (?:all |just |nothing but |fucking |a bunch of |such |really )*(?:animals|vermin|rats|roaches|cockroaches|subhumans?|scum|filth|filthy|parasites|disgusting|inferior|trash|criminals|terrorists|rapists|diseased|evil|a plague|a cancer|monkeys|apes|savages|dogs|pigs|garbage)\b",
        _HATE,
        unless=r"\b(?:not|aren'?t|never|wrong|false|lie|lies|myth|stop saying|nobody should say)\b",
    ),
    Phrase(rf"\b(?:kill|gas|exterminate|hang|shoot|lynch|burn|deport|eradicate) (?:all |all the |every |every single |those |these |the ){_GROUP}\b", {HATE: 0.93, V: 0.88, TOX: 0.9}),
    Phrase(rf"\bdeath to (?:all |the )?{_GROUP}\b", {HATE: 0.93, V: 0.88, TOX: 0.9}),
    Phrase(rf"\b{_GROUP} (?:should|must|need to|deserve to|ought to) (?:all )?(?:die|be (?:killed|shot|hanged|gassed|exterminated|wiped out|banned|sterili[sz]ed|put down|enslaved|deported))", {HATE: 0.9, V: 0.76, TOX: 0.86}),
    Phrase(r"\bgo back to (?:your (?:own )?(?:country|shithole)|africa|mexico|china|india|pakistan|where you came from)\b", {HATE: 0.74, H: 0.66, TOX: 0.64}),
    Phrase(r"\b(?:heil hitler|sieg heil|white power|hitler was right|hitler did nothing wrong|race traitors?|white genocide|1488)\b", {HATE: 0.84, TOX: 0.72}),
    # Self-harm, said of oneself.
    Phrase(
        r"\bi(?: just| really|'?m| am|'?ve been)? (?:want|wanna|need|going|plan|planning|ready|about|wish|thinking|have decided|decided)(?: to| of| about)? (?:just )?"
        r"(?:die|dying|kill(?:ing)? myself|end(?:ing)? (?:it all|my (?:own )?life|things)|hang(?:ing)? myself|not (?:be alive|exist|wake up)|disappear forever|commit(?:ting)? suicide|suicide)\b",
        {SELF: 0.88},
    ),
    Phrase(r"\b(?:kill|killing|hang|hanging|shoot|poison) myself\b", {SELF: 0.76}, unless=r"\b(?:laughing|lol|lmao|not|never|accidentally|joke)\b"),
    Phrase(r"\bi (?:wish|want) (?:i was|i were|to be) (?:dead|never born)\b|\bwish i (?:had never been|was never|were never|wasn'?t) (?:born|alive)\b", {SELF: 0.8}),
    Phrase(r"\b(?:cut|cutting|cuts|burning|hurting|harming|starving) (?:myself|my (?:wrists?|arms?|thighs?))\b", {SELF: 0.74}, unless=r"\b(?:shaving|shaved|cooking|kitchen|accidentally|paper|chopping|stove|oven|iron|accident)\b"),
    Phrase(r"\bno (?:reason|point|will) (?:to|in) (?:live|living|keep living|go on)\b|\b(?:better off|everyone'?s better) (?:dead|without me)\b", {SELF: 0.8}),
    Phrase(r"\bi (?:don'?t|do not|can'?t|cannot) (?:want to |wanna )?(?:live|be alive|be here|go on living|exist)(?: like this)? (?:any ?more|any longer)\b|\bi (?:don'?t|do not) want to (?:live|be alive)\b", {SELF: 0.84}),
    Phrase(r"\b(?:painless|easiest|quickest|best|fastest) way(?:s)? to (?:die|kill myself|commit suicide|end my life)\b", {SELF: 0.9}),
    # Sexual.
    Phrase(r"\bsend (?:me )?(?:some |ur |your |more |hot )*(?:nudes?|nude pics?|naked pics?|tits|boobs pics?|dick pics?|pics of your (?:tits|ass|body|boobs))\b", {SEX: 0.88, H: 0.5}),
    Phrase(r"\b(?:wanna|want to|lets|let'?s|looking to|down to|come over and|i'?d) (?:fuck|have sex|bang|hook ?up|sext|cyber)\b", {SEX: 0.78}),
    Phrase(r"\b(?:hot|horny|sexy|lonely|naked|nude) (?:\w+ )?(?:singles|girls|milfs?|babes|women|teens|moms|wives)\b.{0,30}\b(?:area|near you|nearby|waiting|want|chat|cam|tonight|online|meet|click)\b", {SEX: 0.86, SPAM: 0.84}),
    Phrase(r"\b(?:sex ?chat|sex ?cams?|cam ?girls?|live ?cams?|xxx (?:videos?|pics|movies)|free porn|porn (?:videos?|pics|links?)|strip for you|my onlyfans|escort services?)\b", {SEX: 0.8, SPAM: 0.55}),
    Phrase(r"\b(?:suck|lick|ride|sit on) my (?:\w+ )?(?:dick|cock|balls|pussy|face|clit)\b|\bblow me\b", {SEX: 0.8, H: 0.72, TOX: 0.72}),
    Phrase(r"\b(?:my|your|ur|his|her|that) (?:\w+ )?(?:wet|tight|hard|throbbing|juicy|dripping|big fat|huge) (?:pussy|cock|dick|cunt|ass|tits|hole|boobs)\b", {SEX: 0.88}),
    Phrase(r"\b(?:fuck|cum|creampie|pound|eat)(?:ing)? (?:in |on |inside |all over )?(?:me|my|your|ur|her|his|that) (?:\w+ )?(?:hard|face|mouth|ass|pussy|tits|asshole|throat|hole|brains out)\b", {SEX: 0.88}),
    Phrase(r"\b(?:i'?m|i am|feeling|so) (?:so |really |very )?horny\b", {SEX: 0.78}),
    Phrase(
        r"\b(?:child|children|kiddie|kids?|preteens?|toddlers?|underage|minors?|infants?|loli) (?:girl |boy )?(?:porn|sex (?:videos?|pics|tapes?)|nudes?|erotica|xxx)\b",
        {Category.SEXUAL_MINORS: 0.9, SEX: 0.86, ILL: 0.86},
        unless=r"\b(?:against|stop|prevent|report|illegal|fight|charged|arrested|convicted|victims?|combat|police)\b",
    ),
    # Spam.
    Phrase(r"\b(?:buy|get|order|cheap|discount) (?:cheap |real |instagram |tiktok |youtube )*(?:viagra|cialis|followers|likes and|replica (?:watches|bags)|rolex|fake reviews|steroids online|essays?)\b", {SPAM: 0.85}),
    Phrase(r"\bclick (?:here|this link|the link|below|on the link|link in bio)\b.{0,30}\b(?:win|claim|get|earn|free|prize|bonus|discount|unlock|cash)\b", {SPAM: 0.87}),
    Phrase(r"\byou(?:'?ve| have)? (?:just )?(?:won|been (?:randomly )?(?:selected|chosen))\b.{0,60}\b(?:prize|gift|cash|iphone|free|claim|voucher|reward|lottery|£|\$)", {SPAM: 0.87}),
    Phrase(r"\b(?:earn|make|making|earning|earned|made) (?:up to |over |at least )?[$€£]? ?\d[\d,.]*k? ?(?:[$€£]|usd|dollars|euros|bucks)? (?:a|per|every|each|in a|in one|in just|within) (?:\w+ )?(?:day|week|hour|month|24)", {SPAM: 0.82}, unless=r"\b(?:salary|wage|minimum|people|they|nurses|teachers|union)\b"),
    Phrase(r"\bwork(?:ing)? from home\b.{0,40}(?:\$|\bearn|\bincome|\bper (?:day|week|hour))", {SPAM: 0.8}),
    Phrase(r"\b(?:congratulations|congrats)\b.{0,50}\b(?:you(?:'ve| have)? won|winner|prize|selected|claim|lottery)\b.{0,60}\b(?:call|click|text|claim|http|www|reply|prize)", {SPAM: 0.85}),
    Phrase(r"\b(?:double|triple|multiply) your (?:bitcoins?|money|btc|crypto|investment|income)\b", {SPAM: 0.85, ILL: 0.4}),
    Phrase(r"\b(?:dm|inbox|whats ?app|telegram|text|contact|message|add) (?:me|us|him|her|now|\+?\d+)\b.{0,50}\b(?:profits?|invest\w*|forex|crypto|bitcoin|hack\w*|loans?|earn\w*|trading|signals)\b", {SPAM: 0.84}),
    Phrase(r"\b(?:sub ?4 ?sub|f4f|l4l|follow (?:for|4) follow|follow me back)\b|\b(?:check ?out|visit|subscribe to|sub to) my (?:new )?(?:channel|chanel|page|profile|website|store|shop|youtube)\b", {SPAM: 0.7}),
    Phrase(r"\bfree (?:iphones?|gift ?cards?|v-?bucks|robux|nitro|followers|spins|ringtones?|bitcoins?|gems|diamonds|coins)\b", {SPAM: 0.8}),
    Phrase(r"\b(?:online )?(?:casino|slots?|betting|gambling)\b.{0,30}\b(?:bonus|free spins|jackpot|deposit|sign ?up|register)\b", {SPAM: 0.82}),
    Phrase(r"\b(?:seo services?|rank (?:your|on) (?:website|google)|buy backlinks|guest post(?:ing)? service|100% (?:free|guaranteed|legit)|no credit check|lose \d+ ?(?:lbs?|pounds|kgs?|kilos) (?:in|fast))\b", {SPAM: 0.8}),
    Phrase(r"\b(?:limited[- ]time offer|act now|order now|buy now|hurry up|call now)\b.{0,60}(?:www|http|\x01|\$|%|free|discount|offer|!)", {SPAM: 0.78}),
    # Illicit.
    Phrase(r"\b(?:sell(?:ing)?|buy|vend(?:ing)?|plug for|order|for sale)\b.{0,20}\b(?:cocaine|coke and|heroin|meth|crystal meth|mdma|lsd|fentanyl|ketamine|fake (?:ids?|passports?|documents?)|stolen (?:cards?|credit cards?|accounts?)|cvvs?|fullz|counterfeit (?:money|bills|notes))\b", {ILL: 0.84}),
    Phrase(r"\b(?:make|build|cook|synthesi[sz]e|assemble)\b.{0,12}\b(?:a (?:pipe |dirty |nail |car )?bomb|pipe bombs?|meth|methamphetamine|explosives|napalm|ricin|nerve gas|sarin|crack cocaine|molotovs?)\b", {ILL: 0.84, V: 0.5}, unless=r"\b(?:documentary|film|movie|arrested|history|police|bath bomb|series)\b"),
    Phrase(r"\b(?:hire|hiring|need|find) a (?:hit ?man|contract killer)\b", {ILL: 0.85, V: 0.78, T: 0.6}, unless=r"\b(?:movie|film|novel|game|series|book)\b"),
)  # fmt: skip


# What may stand between two words of a phrase: line breaks and marks of emphasis hide nothing.
_GAP = r"(?:[\s*~`\"|-]{1,6})"
# A blank, or a whole character class, whose own blanks stay as they are.
_BLANK_OR_CLASS = re.compile(r"\[[^\]]*\]| ")


def _across_marks(pattern: str) -> str:
    """Return a pattern whose blanks match whatever keeps words apart, and whose dots all lines."""
    loose = _BLANK_OR_CLASS.sub(lambda found: _GAP if found[0] == " " else found[0], pattern)
    return f"(?s){loose}"


@cache
def _compiled() -> tuple[re2.Set, tuple[re2._Regexp, ...], tuple[re2._Regexp | None, ...]]:
    found = re2.Set.SearchSet()
    for phrase in PHRASES:
        found.Add(_across_marks(phrase.pattern))
    found.Compile()
    return (
        found,
        tuple(re2.compile(_across_marks(phrase.pattern)) for phrase in PHRASES),
        tuple(
            re2.compile(_across_marks(phrase.unless)) if phrase.unless else None
            for phrase in PHRASES
        ),
    )


# A phrase is taken back only by what stands close to it.
_NEARBY = 60


def find_phrases(text: str) -> list[tuple[int, int, dict[Category, float]]]:
    """Return (start, end, scores) of the first use of each phrase in a canonical text.

    The text must be encodable: lone surrogates are the caller's to replace.
    """
    return read_phrases(text)[0]


def read_phrases(
    text: str,
) -> tuple[list[tuple[int, int, dict[Category, float]]], frozenset[Category]]:
    """Return what `find_phrases` does, and the categories of phrases that were only taken back.

    Who writes `don't kill yourself` means the opposite, whatever the words are to a model.
    """
    together, patterns, exceptions = _compiled()
    # The one mark of emphasis that counts as part of a word; nothing moves.
    text = text.replace("_", " ")
    found = []
    taken_back: set[Category] = set()
    for number in together.Match(text) or ():
        for hit in patterns[number].finditer(text):
            start, end = hit.span()
            exception = exceptions[number]
            nearby = text[max(0, start - _NEARBY) : end + _NEARBY]
            if exception is None or not exception.search(nearby):
                found.append((start, end, PHRASES[number].scores))
                break
            taken_back.update(PHRASES[number].scores)
    meant = {category for _, _, scores in found for category in scores}
    return found, frozenset(taken_back - meant)

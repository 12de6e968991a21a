"""What is said in the demo community: made up, by nobody, about nothing in particular."""

from __future__ import annotations

from dataclasses import dataclass, field

GARDEN, KITCHEN, BIKES, SQUARE = "garden", "kitchen", "bikes", "town-square"

BOARDS = (
    (GARDEN, "Garden", "Beds, balconies and what eats them."),
    (KITCHEN, "Kitchen", "What to do with all those courgettes."),
    (BIKES, "Bikes", "Rides, repairs and spare parts."),
    (SQUARE, "Town square", "Everything else on our street."),
)

# (word, what it does while somebody writes, category)
WORDS = (
    ("moron", "advise", "harassment"),
    ("shut up", "advise", "harassment"),
    ("scumbag", "block", "harassment"),
    ("miracle diet", "block", "spam"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One post. `picture` names one that `pictures` draws; `hours` ago is when it was said."""

    name: str
    body: str
    hours: float
    picture: str = ""
    alt_text: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    board: str
    title: str
    first: Line
    replies: tuple[Line, ...] = field(default=())


# By hours, the oldest first: posts are told in this order.
TOPICS = (
    Topic(
        GARDEN,
        "When do you start tomatoes indoors?",
        Line("mia", "South-facing window, no lamp. Is the end of February too early?", 70),
        (
            Line("priya", "Mid-March here. Earlier ones only got long and thin.", 69),
            Line("bo", "March, and I turn the pots every morning so they grow straight.", 66),
        ),
    ),
    Topic(
        KITCHEN,
        "Sourdough that survives a holiday",
        Line(
            "jonas",
            "I feed the starter, dry it on baking paper and crumble it into a jar. "
            "It woke up within two days after three weeks away.",
            61,
        ),
        (
            Line("edda", "The fridge does it as well, if you thicken it with flour first.", 60),
            Line("wen", "Three weeks? Mine sulks after five days.", 58),
        ),
    ),
    Topic(
        BIKES,
        "Chain keeps slipping on the two smallest cogs",
        Line("tomas", "New chain, old cassette. I suppose I know the answer already?", 52),
        (
            Line("bo", "You do. A worn cassette eats new chains, so change both.", 51),
            Line("mia", "Lending you my chain gauge if you want to be sure first.", 50),
        ),
    ),
    Topic(
        SQUARE,
        "Street party on the 14th",
        Line(
            "edda",
            "We have tables for sixty and a permit until ten. Who brings music, who brings salad?",
            44,
        ),
        (
            Line("priya", "Two big salads and the long extension cord.", 43),
            Line("cy", "I can bring the speakers and take them home again.", 41),
            Line("jonas", "Bread for sixty. Send help.", 40),
        ),
    ),
    Topic(
        GARDEN,
        "Slugs: what worked this year",
        Line(
            "priya",
            "Beer traps killed hundreds, copper tape did nothing, and a plank to hide under "
            "made collecting them easy.",
            33,
        ),
        (
            Line("wen", "Ducks. Borrow ducks.", 32),
            Line("mia", "A plank! Why did I never think of that.", 31),
        ),
    ),
    Topic(
        KITCHEN,
        "Courgette glut, day 12",
        Line("wen", "Cake, soup, fritters, pickles. The neighbours no longer open the door.", 27),
        (
            Line("edda", "Grate, salt, squeeze, freeze. January will thank you.", 26),
            Line("tomas", "Leave one on every parked car at night.", 25),
        ),
    ),
    Topic(
        BIKES,
        "Sunday ride along the canal",
        Line("bo", "Forty flat kilometres, cake at the lock. We leave at nine from the well.", 20),
        (Line("tomas", "In. I know the lock keeper; she bakes.", 19),),
    ),
    Topic(
        SQUARE,
        "Found: one blue mitten",
        Line("cy", "It sits on the fence post at number 12 and waves at people.", 16),
    ),
    Topic(
        GARDEN,
        "My first quilt of beds",
        Line(
            "mia",
            "Laid out after that book about growing in squares. Seen from the attic:",
            12,
            picture="beds",
            alt_text="Square garden beds in many colours, seen from above",
        ),
        (Line("priya", "Beautiful. What grows in the blue ones?", 11),),
    ),
    Topic(
        BIKES,
        "New shifter",
        Line("tomas", "The shifter broke again, piece of crap.", 10.5),
        (Line("mia", "Bring it over, we look at the derailleur.", 10),),
    ),
    Topic(
        BIKES,
        "Whoever fixed my brakes overnight",
        Line("edda", "Thank you! There is jam on your doorstep, if it was you.", 9),
        (Line("cy", "Not me, but I would take the jam.", 8),),
    ),
    Topic(
        KITCHEN,
        "The yeast",
        Line("wen", "Holy shit, I forgot the yeast. Forty guests. What now?", 6),
        (Line("jonas", "Soda and yoghurt. Nobody will know, go!", 5.9),),
    ),
    Topic(
        GARDEN,
        "The tomatoes are finally ripe",
        Line("bo", "All of them, on the same day, as every year. Come and take some.", 2),
        (Line("edda", "On my way with a bucket.", 1.8),),
    ),
)

# Posts that do not end well, each for another reason.
REJECTED_BY_MACHINE = Topic(
    SQUARE,
    "To whoever parks in front of my gate",
    Line("cy", "I will kill you, you worthless idiot.", 4),
)
REJECTED_BY_PERSON = Topic(
    SQUARE,
    "To the new people at number 9",
    Line("rolf", "Nobody wants you here, loser. Just leave.", 14),
)
PERSONS_REASON = (
    "Telling neighbours to leave breaks our first house rule: be kind to newcomers. "
    "Say what bothers you instead, and it can stay."
)
WITH_A_PERSON = Topic(
    SQUARE,
    "The band next door",
    Line("bo", "Nobody likes you, losers. Turn it down after eleven.", 1),
)
ADVERTISEMENT = Topic(
    KITCHEN,
    "Work from home",
    Line("rolf", "Earn 500 a day from home, click here: http://easy-money.example", 13),
)
BANK = "Known images"
BANNED_LABEL = "Demo poster (a harmless drawing that stands for a banned picture)"
# The perceptual hash (PDQ) of the poster as `pictures` draws it.
BANNED_HASH = "dbef3c8da77a0f620b3521df5aa388fd34a8622dcf66c8a24cdb62889635d822"
BANNED_PICTURE = Topic(
    SQUARE,
    "Share this everywhere",
    Line("rolf", "They cannot stop it.", 3, picture="poster", alt_text="A poster"),
)
PICTURE_WITH_A_PERSON = Topic(
    GARDEN,
    "What is this bug?",
    Line(
        "cy",
        "It sits on my beans all day. Friend or foe?",
        0.5,
        picture="bug",
        alt_text="A round beetle with six spots on a leaf",
    ),
)

"""Tables of characters that stand in for a plain letter, as writers use them to dodge filters.

Compatibility forms (fullwidth, circled, mathematical) come from Unicode itself through NFKD and
are not listed here; look-alikes of the Unicode security data come from `confusable_homoglyphs`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache

# Code points that show nothing: a word split by them reads as one word.
IGNORABLE_RANGES = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF9, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)

# Marks that may be dropped without changing which word is read. The vowel signs of Indic and
# Thai scripts are marks as well, but there they are letters of the word and must stay.
OPTIONAL_MARK_RANGES = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x0591, 0x05BD),
    (0x0610, 0x061A),
    (0x064B, 0x065F),
    (0x0670, 0x0670),
    (0x06D6, 0x06ED),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
)

_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))

# Look-alikes in common use that the Unicode data lists under another letter, or not at all.
_EXTRA_LOOKALIKES = {
    "в": "b", "Ь": "b", "ь": "b", "ъ": "b", "β": "b", "Б": "b", "ƀ": "b", "Ъ": "b",
    "к": "k", "κ": "k", "м": "m", "н": "h", "т": "t", "τ": "t", "п": "n", "и": "n",
    "η": "n", "я": "r", "Я": "r", "Г": "r", "ε": "e", "є": "e", "э": "e", "Σ": "e", "з": "e",
    "З": "e", "Э": "e", "Є": "e", "Λ": "a", "λ": "a", "Δ": "a", "ω": "w", "ш": "w", "щ": "w",
    "Ш": "w", "Щ": "w", "χ": "x", "ж": "x", "μ": "u", "ц": "u", "ч": "y", "ɪ": "i", "ı": "i",
    "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "ł": "l", "Ł": "l", "ħ": "h", "Ħ": "h", "ŧ": "t",
    "Ŧ": "t", "ð": "d", "Ð": "d", "þ": "p", "Þ": "p", "ƒ": "f", "ғ": "f", "ƙ": "k", "ƈ": "c",
    "ɓ": "b", "ɗ": "d", "ɠ": "g", "ɦ": "h", "ɱ": "m", "ɲ": "n", "ƥ": "p", "ɾ": "r", "ʂ": "s",
    "ƭ": "t", "ʋ": "u", "ƴ": "y", "ʐ": "z", "ȥ": "z", "¢": "c", "€": "e", "£": "l", "¥": "y",
    "₣": "f", "₭": "k", "₦": "n", "₱": "p", "₮": "t", "₩": "w", "₴": "s", "₵": "c", "Ꞩ": "s",
    "฿": "b", "†": "t", "¡": "i", "∂": "d", "∑": "e", "∪": "u", "∩": "n", "ñ": "n", "©": "c",
    "®": "r", "æ": "ae", "œ": "oe", "Æ": "ae", "Œ": "oe", "₳": "a", "ƛ": "a", "Ǝ": "e", "ɛ": "e",
    "Ι": "i", "І": "i", "Ӏ": "i", "υ": "u", "ѵ": "u", "ς": "s", "σ": "o", "ʃ": "s", "ʄ": "f",
    "卂": "a", "乃": "b", "匚": "c", "刀": "d", "乇": "e", "千": "f", "厶": "g", "卄": "h",
    "丨": "i", "丿": "j", "长": "k", "乚": "l", "爪": "m", "几": "n", "卩": "p", "尺": "r",
    "丂": "s", "ㄒ": "t", "ㄩ": "u", "山": "w", "乂": "x", "ㄚ": "y", "乙": "z",
}  # fmt: skip

# Upside-down letters, to what they read as when the screen is turned. The plain letters at the
# end read as another plain letter then; they count only beside one of the turned ones.
FLIPPED = dict(zip("ɐɔǝɟƃɓɥᴉıɾʞןʃɯɹʇʌʍʎꓕꓤꓛꓵ", "acefgghiijkllmrtvwytrcu", strict=True))
FLIPPED_SIGNS = frozenset("ɐɔǝɟƃɥᴉɾʞןɯɹʇʌʍʎ")
FLIPPED_PLAIN = {"q": "b", "p": "d", "u": "n", "o": "o", "d": "p", "b": "q", "s": "s", "n": "u",
                 "x": "x", "z": "z", "l": "l", "i": "i", "h": "y", "m": "w", "w": "m"}  # fmt: skip

# Digits and symbols that stand for letters. One sign may mean i or l; both are read as i, in the
# text and in the term (see `merge_i_and_l`).
LEET = {
    "0": "o", "1": "i", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b",
    "9": "g", "@": "a", "$": "s", "!": "i", "|": "i", "+": "t", "(": "c", "<": "c", "[": "c",
    "{": "c",
}  # fmt: skip

# Letters that no common Latin-script spelling doubles inside a word, so two are one too many.
NEVER_DOUBLED = "ahijkquvwxy"

# Signs that censor a letter without saying which.
MASKS = "*#%@$!&?"
WILDCARD = "\x01"


def _in_ranges(code_point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code_point <= high for low, high in ranges)


def is_ignorable(char: str) -> bool:
    return _in_ranges(ord(char), IGNORABLE_RANGES)


OPTIONAL_MARKS = frozenset(
    chr(code) for low, high in OPTIONAL_MARK_RANGES for code in range(low, high + 1)
)
# Tells faster than a look at each character whether a text has any.
OPTIONAL_MARK = re.compile(
    "[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in OPTIONAL_MARK_RANGES) + "]"
)


def _enclosed_letter(code_point: int) -> str:
    """Return the letter of a regional indicator or a white-on-black letter, or an empty string."""
    for first in (0x1F1E6, 0x1F150, 0x1F170, 0x249C, 0x1F110):
        if first <= code_point < first + 26:
            return chr(ord("a") + code_point - first)
    return ""


@cache
def _lookalikes() -> dict[str, str]:
    # Imported late: its data takes 40 ms to load, and plain ASCII text never needs it.
    from confusable_homoglyphs import confusables

    found: dict[str, str] = {}
    for letter in string.ascii_letters:
        for entry in confusables.confusables_data.get(letter, ()):
            alike = entry["c"]
            if len(alike) == 1 and not alike.isascii():
                found.setdefault(alike, letter.lower())
    return found | _SMALL_CAPITALS | _EXTRA_LOOKALIKES


def fold_char(char: str) -> str:
    """Return the compatibility decomposition of one character, casefolded; "" if it is invisible.

    A letter enclosed in a circle, a box or a pair of flags comes out as that letter.
    """
    if is_ignorable(char):
        return ""
    letter = _enclosed_letter(ord(char))
    if letter:
        return letter
    folded = unicodedata.normalize("NFKD", char.casefold())
    return unicodedata.normalize("NFKD", folded.casefold())


def skeleton_char(char: str) -> str:
    """Return what one raw character reads as in plain Latin letters, or its folded form."""
    if char.isascii():
        return char.lower()
    alike = _lookalikes().get(char)
    if alike is not None:
        return alike
    folded = fold_char(char)
    table = _lookalikes()
    return "".join(table.get(part, part) for part in folded if part not in OPTIONAL_MARKS)


def letter_kind(char: str) -> str:
    """Return `plain`, `accented`, `foreign` or "" (no letter), as a reader of Latin sees it.

    Mere forms of plain letters (fullwidth, small capitals, boxed) are plain; an accented letter
    belongs to some Latin alphabet; a foreign one to another script.
    """
    if char.isascii():
        return "plain" if char.isalnum() else ""
    if _enclosed_letter(ord(char)):
        return "plain"
    if not char.isalpha():
        return ""
    if fold_char(char).isascii():
        return "plain"
    if not unicodedata.name(char, "").startswith("LATIN"):
        return "foreign"
    # Latin-1, the two extended blocks and Vietnamese hold the alphabets in daily use.
    daily = ord(char) < 0x0250 or 0x1E00 <= ord(char) <= 0x1EFF
    return "accented" if daily else "plain"

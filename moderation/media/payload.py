"""What people can be known by inside of a stream itself, taken out of it byte by byte.

Dashboard cameras, drones and encoders write places, times and names of their own between the
pictures of H.264; Vorbis carries its tags in its head, and an MP3 behind its last frame.
"""

from __future__ import annotations

_UNIT_TYPE, _SUPPLEMENT = 0x1F, 6
# Supplements that decoders need (ITU-T H.264, annex D): buffering, timing, where one can begin.
_NEEDED_SUPPLEMENTS = frozenset({0, 1, 6})
_VORBIS_COMMENT = b"\x03vorbis"
_EMPTY_COMMENT = _VORBIS_COMMENT + bytes(4) + bytes(4) + b"\x01"


def h264_length_size(head: bytes | None) -> int:
    """Return how many bytes say how long a unit is. Raises `ValueError` for a head of another kind.

    The head is the record of ISO/IEC 14496-15, section 5.3.3.1, as MP4 and Matroska have it.
    """
    if not head or len(head) < 5 or head[0] != 1:
        raise ValueError("The video's head is none of an MP4's.")
    return (head[4] & 3) + 1


def bare_h264(packet: bytes, length_size: int) -> bytes:
    """Return the packet without supplements that no decoder needs.

    Raises `ValueError` where its units do not fill it.
    """
    kept: list[bytes] = []
    is_bare, at = True, 0
    while at < len(packet):
        begin = at + length_size
        end = begin + int.from_bytes(packet[at:begin], "big")
        if end > len(packet):
            raise ValueError("A unit is longer than its packet.")
        if (
            end > begin
            and packet[begin] & _UNIT_TYPE == _SUPPLEMENT
            and not _is_needed(packet[begin:end])
        ):
            is_bare = False
        else:
            kept.append(packet[at:end])
        at = end
    return packet if is_bare else b"".join(kept)


def _is_needed(unit: bytes) -> bool:
    # A byte is put in wherever three would look like a new beginning.
    payload = unit[1:].replace(b"\x00\x00\x03", b"\x00\x00")
    at = 0
    # The last byte only ends the unit.
    while at < len(payload) - 1:
        kind, at = _number(payload, at)
        size, at = _number(payload, at)
        if kind not in _NEEDED_SUPPLEMENTS:
            return False
        at += size
    return True


def _number(payload: bytes, at: int) -> tuple[int, int]:
    """Read a number written as 255s and a rest; return it and where it ends."""
    value = 0
    while at < len(payload) and payload[at] == 0xFF:
        value, at = value + 0xFF, at + 1
    return (value + payload[at], at + 1) if at < len(payload) else (value, at)


def bare_vorbis_head(head: bytes | None) -> bytes:
    """Return Vorbis' three headers with nothing in the second, which holds the tags.

    Raises `ValueError` where they are not laced as in Ogg and Matroska.
    """
    if not head or head[0] != 2:
        raise ValueError("The sound's head is none of Vorbis.")
    first, at = _number(head, 1)
    second, at = _number(head, at)
    identification, setup = head[at : at + first], head[at + first + second :]
    if head[at + first : at + first + len(_VORBIS_COMMENT)] != _VORBIS_COMMENT:
        raise ValueError("The sound's head has its parts in another order.")
    laced = bytes([2]) + _laced(len(identification)) + _laced(len(_EMPTY_COMMENT))
    return laced + identification + _EMPTY_COMMENT + setup


def _laced(size: int) -> bytes:
    return b"\xff" * (size // 0xFF) + bytes([size % 0xFF])


# Kilobits a second by the header's index (ISO/IEC 11172-3 and 13818-3, layer III).
_RATES_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HERTZ = (44_100, 48_000, 32_000)
_VERSION_1, _VERSION_2 = 3, 2


def bare_mp3(packet: bytes) -> bytes:
    """Return the frame without what follows it, b"" where it is none."""
    if len(packet) < 4 or packet[0] != 0xFF or packet[1] & 0xE6 != 0xE2:
        return b""
    version, rate, hertz = packet[1] >> 3 & 3, packet[2] >> 4, packet[2] >> 2 & 3
    if not 1 <= rate <= 14 or hertz == 3:
        return b""
    is_first = version == _VERSION_1
    bits = (_RATES_1 if is_first else _RATES_2)[rate - 1] * 1000 * (144 if is_first else 72)
    # Version 2 halves the rates of version 1, version 2.5 those of version 2.
    slower = 1 if is_first else 2 if version == _VERSION_2 else 4
    return packet[: bits * slower // _HERTZ[hertz] + (packet[2] >> 1 & 1)]

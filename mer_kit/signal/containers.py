"""How much sound a file states and how much it contains, not decoded.

libsndfile silently shortens a truncated WAV, AIFF, AU, CAF or W64 file, trusts the sizes that
programs writing to a pipe leave in a header, and reads only the first of files joined by `cat`.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF and CAF, Sun's AU, Sony's
W64, RFC 9639 (FLAC), RFC 3533 (Ogg), ISO/IEC 14496-12 (boxes of MPEG-4), id3.org's ID3v2.4 and
hydrogenaud.io's APEv2 (tags).
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

#: 32-bit sizes from here on are placeholders of programs that write to a pipe (SoX, AIFF:
#: 0x7f000000).
NO_LENGTH = {b"RIFF": 0x7FFF0000, b"FORM": 0x7F000000}
#: The same for 64-bit sizes.
NO_LONG_LENGTH = 1 << 62
#: Chunks read in one file; a music file has fewer.
MOST_CHUNKS = 10_000
#: WAVE_FORMAT_MPEG and WAVE_FORMAT_MPEGLAYER3: the data chunk holds MPEG frames.
MPEG_TAGS = (0x50, 0x55)
Order = Literal["big", "little"]
_BIG: dict[bytes, Order] = {b"RIFX": "big", b".snd": "big"}
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
#: A chunk's name: four printable characters.
_NAME = re.compile(rb"[ -~]{4}")
#: First bytes → kind of sound file.
_STARTS = {
    rb"(RIFF|RIFX|RF64|BW64).{4}WAVE": b"RIFF",
    rb"FORM.{4}AIF[FC]": b"FORM",
    re.escape(_W64_RIFF): b"riff",
    rb"caff\x00\x01": b"caff",
    rb"\.snd|dns\.": b".snd",
    _FLAC.pattern: b"fLaC",
    rb"OggS\x00\x02": b"OggS",
    rb".{4}ftyp": b"ftyp",
}
#: First bytes of the first packet of an audio stream in Ogg.
_OGG_SOUND = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_FLAC_SIZES = {
    1: 192,
    **{n: 576 << n - 2 for n in range(2, 6)},
    **{n: 256 << n - 8 for n in range(8, 16)},
}
#: Largest number of positions that are tried as FLAC's last frame.
MOST_TRIES = 100_000
#: Largest number of joined files that is looked for.
MOST_JOINED = 1000


@dataclass(frozen=True)
class Extent:
    """How much sound a file, or one of several joined files, states and how much it contains.

    Attributes
    ----------
    end : offset of the next of several joined files, or of bytes that would be read as sound; else
        the length of the data
    stated : stated bytes of sound, or samples if `rate` is given; None if no length is stated
    there : actual bytes of sound, or samples if `rate` is given
    rate : sample rate in Hz if samples are counted, else 0
    offset : where the sound begins
    patches : (offset, bytes) that replace parts of the header so that it states the true length
    behind : bytes after the sound that are not chunks, so that they may be more sound
    mpeg : whether the sound is MPEG frames
    broken : whether the sound is cut off, whatever is stated
    kind, start : first bytes of the file, and where it begins, after ID3 tags and earlier files
    """

    end: int
    stated: int | None
    there: int
    rate: int = 0
    offset: int = 0
    patches: tuple[tuple[int, bytes], ...] = ()
    behind: int = 0
    mpeg: bool = False
    broken: bool = False
    kind: bytes = b""
    start: int = 0

    @property
    def missing(self) -> int:
        """Bytes or samples that are stated but missing."""
        return max((self.stated or 0) - self.there, 0)

    @property
    def fraction(self) -> float:
        """Fraction of the stated sound that is there, not quite 0 if nothing is."""
        there = max(self.there, 1)
        return there / (there + self.missing)


def id3_length(data: Any, position: int) -> int:
    """Return the length in bytes of the ID3v2 tag at `position`, or 0 if there is none.

    Examples
    --------
    >>> id3_length(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 2]), 0)  # 10 bytes of header, then 130
    140
    """
    head = bytes(data[position : position + 10])
    if head[:3] != b"ID3" or len(head) < 10 or head[3] == 0xFF or max(head[6:10]) >= 0x80:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + 10 * bool(head[5] & 0x10)  # the last: a footer


def tag_length(data: Any, position: int) -> int:
    """Return the length in bytes of the ID3v2 or APEv2 tag at `position`, or 0 if none fits.

    Examples
    --------
    >>> tag = b"ID3" + bytes([4, 0, 0, 0, 0, 0, 2]) + b"ab"
    >>> tag_length(tag, 0), tag_length(tag[:-1], 0)  # the second is truncated
    (12, 0)
    """
    length = id3_length(data, position)
    head = bytes(data[position : position + 32])
    if head[:8] == b"APETAGEX" and len(head) == 32:
        is_header = bool(head[23] & 0x20)  # a footer comes after the items of its tag
        length = 32 + int.from_bytes(head[12:16], "little") * is_header
    return length * (position + length <= len(data))


def begins(data: Any, position: int) -> bytes:
    """Return the kind of sound file that begins here, or b"".

    Kinds are b"RIFF", b"FORM", b"riff", b"caff", b".snd", b"fLaC", b"OggS" and b"ftyp".

    Examples
    --------
    >>> begins(b"RIFF____WAVEfmt ", 0), begins(b"RIFF____AVI LIST", 0)
    (b'RIFF', b'')
    """
    head = bytes(data[position : position + 16])
    kinds = (kind for start, kind in _STARTS.items() if re.match(start, head, re.DOTALL))
    return next(kinds, b"")


def _chunks(
    data: Any,
    start: int,
    *,
    name: int = 4,
    width: int = 4,
    order: Order,
    align: int,
    inclusive: bool = False,
) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield each chunk's name, offset of its size field, offset of its content, and stated size."""
    position, header = start, name + width
    for _ in range(MOST_CHUNKS):
        head = bytes(data[position : position + header])
        if len(head) < header:
            return
        size = int.from_bytes(head[name:], order) - header * inclusive
        yield head[:name], position + name, position + header, size
        step = header + size
        position += step + -step % align


def _length(stated: int, too_long: int, *, above: int = 0) -> int | None:
    """Return a stated size, or None if it is one of those that mean "unknown"."""
    return stated if above < stated < too_long else None


def riff(data: Any, start: int) -> Extent | None:
    """Read RIFF (little-endian), RIFX (big-endian), and RF64 or BW64 (64-bit sizes in ds64).

    Examples
    --------
    >>> extent = riff(b"RIFF" + bytes([16, 0, 0, 0]) + b"WAVEdata" + bytes([8, 0, 0, 0, 1, 2]), 0)
    >>> extent.stated, extent.there, extent.missing  # cut off after two of eight bytes
    (8, 2, 6)
    """
    order = _BIG.get(data[start : start + 4], "little")
    mpeg, long_sizes = False, 0
    for name, field, content, stated in _chunks(data, start + 12, order=order, align=2):
        if name == b"fmt ":
            mpeg = int.from_bytes(data[content : content + 2], order) in MPEG_TAGS
        if name == b"ds64":
            long_sizes = content
        if name == b"data":
            length, sizes = _length(stated, NO_LENGTH[b"RIFF"]), (4, start + 4, field)
            if long_sizes and stated == 0xFFFFFFFF:
                stated = int.from_bytes(data[long_sizes + 8 : long_sizes + 16], order)
                length, sizes = _length(stated, NO_LONG_LENGTH), (8, long_sizes, long_sizes + 8)
            elif stated == 0 and _only_chunks(data, content, order):
                length = 0
            return _sound(data, start, content, length, order, sizes, mpeg=mpeg)
    return None


def aiff(data: Any, start: int) -> Extent | None:
    """Read AIFF and AIFF-C: big-endian chunks, the sound in SSND, which is 8 bytes if empty.

    Examples
    --------
    >>> extent = aiff(b"FORM" + bytes(4) + b"AIFFSSND" + bytes([0, 0, 0, 10, 1, 2, 3, 4]), 0)
    >>> extent.stated, extent.there
    (10, 4)
    """
    for name, field, content, stated in _chunks(data, start + 12, order="big", align=2):
        if name == b"SSND":
            length = _length(stated, NO_LENGTH[b"FORM"], above=8)
            return _sound(data, start, content, length, "big", (4, start + 4, field))
    return None


def caf(data: Any, start: int) -> Extent | None:
    """Read Apple's CAF: chunks with 64-bit sizes.

    Examples
    --------
    >>> chunk = b"data" + (12).to_bytes(8, "big") + bytes(5)
    >>> extent = caf(b"caff" + bytes([0, 1, 0, 0]) + chunk, 0)
    >>> extent.stated, extent.there
    (12, 5)
    """
    for name, field, content, stated in _chunks(data, start + 8, width=8, order="big", align=1):
        if name == b"data":
            length = _length(stated, NO_LONG_LENGTH, above=4)
            return _sound(data, start, content, length, "big", (8, 0, field), align=1)
    return None


def w64(data: Any, start: int) -> Extent | None:
    """Read Sony's W64: chunks with 16-byte names and 64-bit sizes that include the header.

    Examples
    --------
    >>> chunk = _W64_DATA + (24 + 16).to_bytes(8, "little")
    >>> extent = w64(_W64_RIFF + bytes(24) + chunk + bytes(4), 0)
    >>> extent.stated, extent.there
    (16, 4)
    """
    for name, _, content, stated in _chunks(
        data, start + 40, name=16, width=8, order="little", align=8, inclusive=True
    ):
        if name == _W64_DATA:
            length, end = _length(stated, NO_LONG_LENGTH), len(data)
            if length is not None:
                end = min(content + length + -length % 8, end)
            return Extent(end, length, end - content, offset=content)
    return None


def au(data: Any, start: int) -> Extent:
    """Read Sun's AU: a header, then the sound.

    Examples
    --------
    >>> extent = au(b".snd" + bytes([0, 0, 0, 24, 0, 0, 0, 10]) + bytes(12 + 4), 0)
    >>> extent.stated, extent.there
    (10, 4)
    """
    order = _BIG.get(data[start : start + 4], "little")
    content = min(start + int.from_bytes(data[start + 4 : start + 8], order), len(data))
    stated = int.from_bytes(data[start + 8 : start + 12], order)
    if not 0 < stated < NO_LENGTH[b"RIFF"]:
        return _sound(data, start, content, None, order, (4, 0, start + 8))
    end = content + stated
    if begins(data, end):
        return Extent(end, stated, stated, offset=content)
    there = min(len(data) - content, stated)
    return Extent(len(data), stated, there, offset=content, behind=_unexplained(data, end))


def _sound(
    data: Any,
    start: int,
    content: int,
    stated: int | None,
    order: Order,
    sizes: tuple[int, int, int],
    *,
    mpeg: bool = False,
    align: int = 2,
) -> Extent:
    """Return the extent of a sound chunk.

    `sizes` are the width of the size fields, and their offsets: that of the file and of the chunk.
    """
    there = len(data) - content
    if stated is None:
        width, whole, chunk = sizes
        values = {whole: len(data) - start - 8, chunk: there}
        fit = max(values.values()) < 1 << 8 * width
        patches = tuple(
            (field, value.to_bytes(width, order))
            for field, value in values.items()
            if fit and field
        )
        return Extent(len(data), None, there, offset=content, patches=patches, mpeg=mpeg)
    width = {1: 8, 2: 4}[align]  # of later chunks' sizes
    end, behind = _behind(data, content + stated, order=order, width=width, align=align)
    return Extent(end, stated, min(there, stated), offset=content, behind=behind, mpeg=mpeg)


def _behind(data: Any, position: int, *, order: Order, width: int, align: int) -> tuple[int, int]:
    """Return where another file begins after the sound, and how many bytes are not chunks.

    The first is the length of the data if no other file follows.
    """
    for _ in range(MOST_CHUNKS):
        padded = position + -position % align
        beginning = next((here for here in (position, padded) if begins(data, here)), None)
        if beginning is not None:
            return beginning, 0
        if _NAME.match(data, padded) or not _NAME.match(data, position):
            position = padded
        position += id3_length(data, position)
        if not _NAME.match(data, position):
            return len(data), _unexplained(data, position)
        position += 4 + width + int.from_bytes(data[position + 4 : position + 4 + width], order)
    return len(data), 0


def _only_chunks(data: Any, position: int, order: Order) -> bool:
    """Return whether the rest of the data consists of whole chunks."""
    for name, _, content, size in _chunks(data, position, order=order, align=2):
        if not _NAME.match(name):
            return False
        position = content + size + size % 2
    return len(data) <= position <= len(data) + 1


def _unexplained(data: Any, position: int) -> int:
    """Return the number of remaining bytes, or 0 if they begin with a long run of zeros."""
    return (len(data) - position) * bool(bytes(data[position : position + 65536]).strip(b"\0"))


def flac(data: Any, start: int) -> Extent | None:
    """Read FLAC: the header states the number of samples (0: unknown), and frames are numbered.

    Examples
    --------
    >>> import io, soundfile
    >>> file = io.BytesIO()
    >>> soundfile.write(file, [i / 16384 for i in range(16384)], 16000, format="FLAC")
    >>> extent = flac(file.getvalue(), 0)
    >>> extent.stated, extent.there, extent.rate
    (16384, 16384, 16000)
    """
    info = bytes(data[start + 8 : start + 42])
    if len(info) < 34:
        return None
    end = next((match.start() for match in _FLAC.finditer(data, start + 42)), len(data))
    rate = int.from_bytes(info[10:13], "big") >> 4
    stated = int.from_bytes(info[13:18], "big") & (1 << 36) - 1
    there = _flac_samples(data, start + 42, end, int.from_bytes(info[2:4], "big"))
    length = (start + 21, ((info[13] & 0xF0) << 32 | there).to_bytes(5, "big"))
    return Extent(end, stated or None, there, rate=rate, patches=(length,) * (there > stated))


def _flac_samples(data: Any, start: int, end: int, block: int) -> int:
    """Return where the last frame between `start` and `end` ends, in samples; 0 if none does."""
    position = end
    for _ in range(MOST_TRIES):
        position = max(data.rfind(sync, start, position) for sync in (b"\xff\xf8", b"\xff\xf9"))
        if position < 0:
            return 0
        samples = _flac_frame_end(bytes(data[position : position + 16]), block)
        if samples is not None:
            return samples
    return 0


def _flac_frame_end(head: bytes, block: int) -> int | None:
    """Return 1 + the number of the last sample of a frame, or None if this is not a header."""
    if len(head) < 6 or head[3] & 1:  # sync, sizes, a number of one byte and the checksum
        return None
    # The number is coded like a character in UTF-8.
    n_more = max(7 - (head[4] ^ 0xFF).bit_length(), 0)
    number = head[4] & 0x7F >> n_more + bool(n_more)
    for byte in head[5 : 5 + n_more]:
        number = number << 6 | byte & 0x3F
    end, size, rate = 5 + n_more, head[2] >> 4, head[2] & 15
    extra = {6: 1, 7: 2}.get(size, 0)
    n_samples = _FLAC_SIZES.get(size, int.from_bytes(head[end : end + extra], "big") + 1)
    end += extra + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if size == 0 or rate == 15 or end >= len(head) or _crc8(head[:end]) != head[end]:
        return None
    if not head[1] & 1:  # blocks of one size: the number is that of the frame
        number *= block
    return number + n_samples


def _crc8(data: bytes) -> int:
    """Return the remainder of the data, followed by eight zero bits, modulo x⁸ + x² + x + 1."""
    rest = int.from_bytes(data, "big") << 8
    while rest > 0xFF:
        rest ^= 0x107 << rest.bit_length() - 9
    return rest


def ogg(data: Any, start: int) -> Extent | None:
    """Read Ogg up to where a new stream begins after another's pages.

    It is broken if an audio stream lacks its last page.

    Examples
    --------
    >>> import io, soundfile
    >>> file = io.BytesIO()
    >>> soundfile.write(file, [0.5] * 16000, 16000, format="OGG")
    >>> ogg(file.getvalue(), 0).broken, ogg(file.getvalue()[:-1], 0).broken
    (False, True)
    """
    ended: dict[bytes, bool] = {}
    position, end, in_body = start, len(data), False
    while (page := data.find(b"OggS\0", position)) >= 0 and page + 27 <= len(data):
        flags, serial = data[page + 5], bytes(data[page + 14 : page + 18])
        content = page + 27 + data[page + 26]
        position = content + sum(data[page + 27 : content])
        if flags & 2 and in_body:
            end = page
            break
        in_body = in_body or not flags & 2
        if flags & 2 and bytes(data[content : content + 8]).startswith(_OGG_SOUND):
            ended[serial] = False
        if flags & 4 and serial in ended and position <= len(data):
            ended[serial] = True
    if not ended:
        return None
    return Extent(end, None, end - start, broken=not all(ended.values()))


def mp4(data: Any, start: int) -> Extent:
    """Read MPEG-4 (M4A): boxes, of which mdat contains the sound and moov describes it.

    It is broken if moov is missing or a box is truncated.

    Examples
    --------
    >>> moov = bytes([0, 0, 0, 16]) + b"moov" + bytes(8)
    >>> mdat = bytes([0, 0, 0, 32]) + b"mdat" + bytes(8)
    >>> extent = mp4(moov + mdat, 0)
    >>> extent.stated, extent.there, extent.broken
    (32, 16, True)
    """
    position, stated, there, has_index = start, 0, 0, False
    while position + 16 <= len(data):
        short, name, long = struct.unpack_from(">I4sQ", data, position)
        length = {0: len(data) - position, 1: long}.get(short, short)
        if length < 8:
            break
        if name == b"mdat":
            stated += length
            there += min(length, len(data) - position)
        has_index = has_index or (name == b"moov" and position + length <= len(data))
        position += length
    return Extent(len(data), stated or None, there, broken=not has_index or position > len(data))


#: First bytes → reader of a container.
_READERS: dict[bytes, Callable[[Any, int], Extent | None]] = {
    b"RIFF": riff,
    b"FORM": aiff,
    b"caff": caf,
    b"riff": w64,
    b".snd": au,
    b"fLaC": flac,
    b"OggS": ogg,
    b"ftyp": mp4,
}


def located(data: Any) -> list[Extent]:
    """Return the sound files in a file's bytes, usually one; [] if they begin with no container.

    Parameters
    ----------
    data : bytes or a memory map

    Examples
    --------
    >>> au = b".snd" + bytes([0, 0, 0, 24, 0, 0, 0, 4]) + bytes(12) + b"abcd"
    >>> [(file.kind, file.start, file.there) for file in located(au + au)]
    [(b'.snd', 0, 4), (b'.snd', 28, 4)]
    """
    files: list[Extent] = []
    start = 0
    for _ in range(MOST_JOINED):
        while tag := id3_length(data, start):
            start += tag
        kind = begins(data, start)
        extent = _READERS[kind](data, start) if kind else None
        if extent is None:
            break
        files.append(replace(extent, kind=kind, start=start))
        start = extent.end
    return files

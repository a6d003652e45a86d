"""What the header of a picture says, before a pixel is decoded: a file of 1 kB can claim to hold 400 megapixels.

Own code and not Pillow, which does not tell that a PNG or AVIF is HDR, how deep an AVIF is, or that a file begins with
a preview: the sentences about these would be lost. It is 22 MB to install, takes seven times as long for a header, and
loading it costs a capture 0.1 s and more.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..protocol.limits import PICTURE_PIXELS

# Tags of TIFF, and so of EXIF.
_SUBFILE, _WIDTH, _HEIGHT, _COLOURS, _ORIENTATION, _SAMPLES, _INNER = 254, 256, 257, 262, 274, 277, 330
_CMYK = 5
_REDUCED, _MASK = 1, 4  # bits of _SUBFILE: a smaller copy of another page, and what is transparent in one
_PAGES_COUNTED = 1000
_ORDERS = {"<": "little", ">": "big"}
_APP1, _APP2 = 0xE1, 0xE2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of a start of frame; the others: DHT, JPG, DAC
_PICTURES = 0xB002  # of a multi-picture JPEG: the table of its pictures

_HEIC = rb"(?:heic|heix|heim|heis|hevc|hevx|hevm|hevs)"
_VIDEO = rb"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|OggS|YUV4MPEG2|\0\0\x01[\xba\xb3]|GIF8[79]a"
_HDR = {16: "PQ", 18: "HLG"}  # transfer functions, by ITU-T H.273
_ANIMATION = "is an animation; its first picture is shown"


@dataclass(frozen=True, slots=True)
class Header:
    """The size as stored, before it is turned upright."""

    width: int  # pixels
    height: int
    has_alpha: bool = False  # or may have
    # What leads from the stored pixels to the upright ones, in this order, each an orientation of EXIF, 2 to 8. None
    # for TIFF, where OpenCV sees to it; of the others it turns only those without alpha, and no AVIF. Empty for HEIC,
    # where libheif sees to it.
    turns: tuple[int, ...] | None = ()
    brightest: int | None = None  # value of white, where the file names it
    is_heic: bool = False  # OpenCV cannot decode it
    plays: bool = False  # moving pictures, all of which FFmpeg reads
    remark: str | None = None  # what a person should know of the picture; the rest of a sentence behind its name
    refused: str | None = None  # why it is not read; likewise


def may_be_picture(start: bytes) -> bool:
    """Whether the header of a file that starts so, with 64 bytes, may be one of a picture that stands still."""
    return any(re.match(magic, start, re.DOTALL) for magic, read in _KINDS if read is not _gif)


def is_known(start: bytes) -> bool:
    """Whether a file that starts so, with 64 bytes, may be a picture or a video of a common kind."""
    return may_be_video(start) or any(re.match(magic, start, re.DOTALL) for magic, _ in _KINDS)


def may_be_video(start: bytes) -> bool:
    """Whether a file that starts so is of a common container of videos, whatever it is called."""
    return re.match(_VIDEO, start, re.DOTALL) is not None


def read_header(file: bytes) -> Header | None:
    """The header of a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC or portable any-map (P1 to P6); None for all else."""
    for magic, read in _KINDS:
        if re.match(magic, file, re.DOTALL):
            try:
                return read(file)
            except (struct.error, IndexError, ValueError, KeyError):  # Cut off, or not what it seemed.
                return None
    return None


def _jpeg(file: bytes) -> Header:
    exif, pictures = b"", 1
    has_table = False
    for marker, start, end in _segments(file, 0):
        if marker == _APP1 and file[start : start + 6] == b"Exif\0\0":
            exif = exif or file[start + 6 : end]
        elif marker == _APP2 and file[start : start + 4] == b"MPF\0":
            has_table, pictures = True, _pictures_in_table(file, start + 4)
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", file, start + 1)
            # Compressed pixels never hold an end of image. Where there is a table (MPF), the others may be gain maps.
            is_film = not has_table and file.find(b"\xff\xd9\xff\xd8\xff", end) >= 0
            remark = "holds several pictures; only the first is read" if is_film or pictures > 1 else None
            return Header(width, height, turns=_turns(_exif_orientation(exif)), plays=is_film, remark=remark)
    raise ValueError("no start of frame")


def _segments(file: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of every segment of the JPEG at a place, to that which begins its pixels."""
    at += 2
    while file[at] == 0xFF:
        marker = file[at + 1]
        if marker == 0xFF:  # Fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # Markers without a segment
            at += 2
        else:
            end = at + 2 + struct.unpack_from(">H", file, at + 2)[0]
            yield marker, at + 4, end
            at = end


def _pictures_in_table(file: bytes, at: int) -> int:
    """How many pictures of a multi-picture JPEG, by its table at a place, are as large as the first.

    Those that are smaller are gain maps and previews, which are made of the first.
    """
    try:
        directory = _Directory.first(file[at:])
        start, length = directory.place(_PICTURES)
        entries = range(at + start, at + start + length, 16)
        places = [struct.unpack_from(directory.order + "I", file, entry + 8)[0] for entry in entries]
        sizes = [_jpeg_size(file, at + place if place else 0) for place in places]
    except (struct.error, IndexError, ValueError, KeyError):  # A broken table: then there is the first picture.
        return 1
    return sizes.count(sizes[0]) if sizes else 1


def _jpeg_size(file: bytes, at: int) -> bytes:
    """Height, width and number of colours, as they stand in the start of frame."""
    return next(file[start + 1 : start + 6] for marker, start, _ in _segments(file, at) if marker in _FRAMES)


def _png(file: bytes) -> Header:
    width, height, _, colour_type = struct.unpack_from(">IIBB", file, 16)
    chunks = dict(_chunks(file, 8, ">I4s", size_first=True, trailer=4))
    moves = b"acTL" in chunks and struct.unpack_from(">I", chunks[b"acTL"])[0] > 1
    transfer = chunks.get(b"cICP", b"")[1:2]
    return Header(
        width,
        height,
        bool(colour_type & 4) or b"tRNS" in chunks,
        _turns(_exif_orientation(chunks.get(b"eXIf", b""))),
        plays=moves,
        remark=_ANIMATION if moves else _hdr(transfer[0]) if transfer else None,
    )


def _webp(file: bytes) -> Header:
    chunks = dict(_chunks(file, 12, "<4sI", size_first=False, even=True))
    turns = _turns(_exif_orientation(chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0")))
    if extended := chunks.get(b"VP8X"):
        width, height = (int.from_bytes(extended[at : at + 3], "little") + 1 for at in (4, 7))
        has_alpha, moves = bool(extended[0] & 0x10), bool(extended[0] & 0x02)
        return Header(width, height, has_alpha, turns, remark=_ANIMATION if moves else None)
    if lossless := chunks.get(b"VP8L"):
        bits = int.from_bytes(lossless[1:5], "little")
        return Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    width, height = struct.unpack_from("<HH", chunks[b"VP8 "], 6)
    return Header(width & 0x3FFF, height & 0x3FFF)


def _tiff(file: bytes) -> Header:
    pages = list(_pages(file))
    first, *others = pages
    tags = first.tags
    subfile = tags.get(_SUBFILE, 0)
    is_preview = subfile & _REDUCED and (_INNER in first.entries or others)
    full = [page for page in pages if not page.tags.get(_SUBFILE, 0) & (_REDUCED | _MASK)]
    return Header(
        tags[_WIDTH],
        tags[_HEIGHT],
        # By the samples of a pixel: many writers, OpenCV among them, do not say that the fourth is alpha.
        tags.get(_SAMPLES) in (2, 4) and tags.get(_COLOURS) != _CMYK,
        turns=None,
        remark=f"has {len(full)} pages; only the first is read" if len(full) > 1 else None,
        # What cameras call raw: OpenCV would take the preview, as large as a stamp, for the picture.
        refused="begins with a preview, as raw files of cameras do; save it as JPEG or PNG" if is_preview else None,
    )


def _bmp(file: bytes) -> Header:
    # The fourth byte of 32-bit pixels is no alpha: most writers leave it 0, which would make the picture vanish.
    if struct.unpack_from("<I", file, 14)[0] == 12:
        return Header(*struct.unpack_from("<HH", file, 18))
    width, height = struct.unpack_from("<ii", file, 18)
    return Header(abs(width), abs(height))


def _gif(file: bytes) -> Header:
    return Header(*struct.unpack_from("<HH", file, 6), has_alpha=True, plays=True, remark=_ANIMATION)


def _any_map(file: bytes) -> Header:
    text = re.sub(rb"#[^\n]*", b" ", file[:10_000])  # Comments may stand anywhere in the header.
    numbers = [int(number) for number in re.match(rb"P\d((?:\s+\d{1,9}){2,3})\s", text)[1].split()]
    bitmap = file[1:2] in b"14"
    return Header(numbers[0], numbers[1], brightest=None if bitmap else numbers[2])


def _chunks(file: bytes, at: int, head: str, size_first: bool, trailer: int = 0, even: bool = False) -> Iterator:
    """Name and content of the chunks of PNG and RIFF; the first 64 bytes of those that hold pixels."""
    while at + 8 <= len(file):
        size, name = struct.unpack_from(head, file, at)[:: 1 if size_first else -1]
        most = 64 if name in (b"IDAT", b"fdAT", b"VP8 ", b"VP8L", b"ANMF") else size
        yield name, file[at + 8 : at + 8 + min(size, most)]
        at += 8 + size + trailer + (size & 1 if even else 0)


def _heif(file: bytes) -> Header | None:
    """AVIF, HEIC and their kin; None for a video, which has no main picture."""
    boxes = dict(_boxes(file))
    if b"meta" not in boxes:
        cut_off = re.match(_HEIC, file[8:12]) and b"moov" not in boxes
        return Header(0, 0, refused="is a HEIC picture that is cut off: copy it again") if cut_off else None
    meta = dict(_boxes(boxes[b"meta"][4:]))
    item = _number(meta[b"pitm"], 4, wide=meta[b"pitm"][0] > 0)
    kinds, hidden = _items(meta[b"iinf"])
    references = list(_references(meta[b"iref"])) if b"iref" in meta else []
    made_of = {maker: parts for name, maker, parts in references if name == b"dimg"}
    parts = made_of[item] if kinds[item] in (b"grid", b"iden") else [item]
    codings = {kinds.get(part) for part in parts}
    if codings not in ({b"av01"}, {b"hvc1"}):
        return Header(0, 0, refused="is a HEIF picture of a coding that is not read; save it as JPEG or PNG")
    if largest := _beyond_the_limit(meta[b"iprp"], [made_of[one] for one in made_of if kinds.get(one) == b"grid"]):
        return Header(*largest)
    properties = _properties_of(meta[b"iprp"], item)
    width, height = struct.unpack_from(">II", dict(properties)[b"ispe"], 4)
    is_heic = codings == {b"hvc1"}
    deep = 8 if is_heic else _av1_depth(_properties_of(meta[b"iprp"], parts[0]))
    transfers = (struct.unpack_from(">H", value, 6)[0] for name, value in properties if value[:4] == b"nclx")
    # Neither tiles nor thumbnails, depth, alpha and gain maps.
    pictures = kinds.keys() - hidden - {part for parts in made_of.values() for part in parts} | {item}
    pictures -= {maker for name, maker, _ in references if name in (b"thmb", b"auxl")}
    count = sum(kinds[picture] in (b"av01", b"hvc1", b"grid", b"iden") for picture in pictures)
    several = f"holds {count} pictures; only its main one is read" if count > 1 else None
    return Header(
        width,
        height,
        has_alpha=any(name == b"auxl" for name, _, _ in references),
        turns=() if is_heic else tuple(turn for name, value in properties if (turn := _heif_turn(name, value)) > 1),
        brightest=2**deep - 1 if deep > 8 else None,
        is_heic=is_heic,
        remark=_ANIMATION if b"moov" in boxes else _hdr(next(transfers, 0)) or several,
    )


def _beyond_the_limit(iprp: bytes, grids: list[list[int]]) -> tuple[int, int] | None:
    """The size of an image in the file that has too many pixels, be it what another one is made of.

    Decoders hold the coded images to the sizes in their properties, and the size of a grid to that of its tiles. Tiles
    reach beyond the edges of what they are laid out to, but by less than one row and one column.
    """
    sizes = [struct.unpack_from(">II", value, 4) for name, value in _all_properties(iprp) if name == b"ispe"]
    for parts in grids:
        width, height = struct.unpack_from(">II", dict(_properties_of(iprp, parts[0]))[b"ispe"], 4)
        if width * height * len(parts) > 2 * PICTURE_PIXELS:
            sizes.append((width, height * len(parts)))
    return next(((width, height) for width, height in sizes if width * height > PICTURE_PIXELS), None)


def _boxes(content: bytes, at: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the boxes of an ISO base media file."""
    while at + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", content, at + 8)[0], 16
        size = size or len(content) - at
        if size < head:
            raise ValueError("a box smaller than its own head")
        yield name, content[at + head : at + size]
        at += size


def _items(iinf: bytes) -> tuple[dict[int, bytes], set[int]]:
    """The coding of every item, such as av01, hvc1, grid or Exif, and the items that are not to be shown."""
    kinds, hidden = {}, set()
    for name, entry in _boxes(iinf, 8 if iinf[0] else 6):
        wide = entry[0] > 2
        if name == b"infe" and entry[0] >= 2:
            item = _number(entry, 4, wide)
            kinds[item] = entry[10:14] if wide else entry[8:12]
            if entry[3] & 1:
                hidden.add(item)
    return kinds, hidden


def _references(iref: bytes) -> Iterator[tuple[bytes, int, list[int]]]:
    """The kind of every reference, the item that has it and those that it leads to.

    dimg: to the tiles that it is laid out of; thmb, auxl: to the picture that it is a thumbnail or map of.
    """
    wide = iref[0] > 0
    step = 4 if wide else 2
    for name, entry in _boxes(iref, 4):
        (count,) = struct.unpack_from(">H", entry, step)
        yield name, _number(entry, 0, wide), [_number(entry, step + 2 + step * at, wide) for at in range(count)]


def _properties_of(iprp: bytes, item: int) -> list[tuple[bytes, bytes]]:
    """Name and content of an item's properties, in the order in which they apply."""
    all_of_them, links = _all_properties(iprp), dict(_boxes(iprp))[b"ipma"]
    is_wide, is_long = links[0] > 0, links[3] & 1
    (items,) = struct.unpack_from(">I", links, 4)
    at = 8
    for _ in range(items):
        this = _number(links, at, is_wide)
        at += 4 if is_wide else 2
        places = struct.unpack_from(f">{links[at]}{'H' if is_long else 'B'}", links, at + 1)
        at += 1 + len(places) * (2 if is_long else 1)
        if this == item:
            numbers = [place & (0x7FFF if is_long else 0x7F) for place in places]
            return [all_of_them[number - 1] for number in numbers if number]
    raise ValueError("an item without properties")


def _all_properties(iprp: bytes) -> list[tuple[bytes, bytes]]:
    return list(_boxes(dict(_boxes(iprp))[b"ipco"]))


def _heif_turn(name: bytes, value: bytes) -> int:
    """What `irot` and `imir` do to the picture, as an orientation of EXIF. The EXIF in the file itself does nothing."""
    if name == b"irot":
        return (1, 8, 3, 6)[value[0] & 3]  # quarter turns, counter-clockwise
    return (4, 2)[value[0] & 1] if name == b"imir" else 1


def _av1_depth(properties: list[tuple[bytes, bytes]]) -> int:
    settings = dict(properties)[b"av1C"][2]
    return (12 if settings & 0x20 else 10) if settings & 0x40 else 8


def _number(content: bytes, at: int, wide: bool) -> int:
    return struct.unpack_from(">I" if wide else ">H", content, at)[0]


def _hdr(transfer: int) -> str | None:
    return f"is HDR ({_HDR[transfer]}) and read as it is, without tone mapping" if transfer in _HDR else None


def _turns(orientation: int) -> tuple[int, ...]:
    return (orientation,) if orientation > 1 else ()


def _exif_orientation(exif: bytes) -> int:
    try:
        orientation = _Directory.first(exif).tags.get(_ORIENTATION, 1)
    except (struct.error, ValueError):  # No EXIF, or a broken one: then the picture stands as it is stored.
        return 1
    return orientation if 1 <= orientation <= 8 else 1


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory of tags, of a TIFF or a BigTIFF."""

    order: str  # of bytes, as `struct` has it
    entries: dict[int, tuple[int, int, int]]  # by tag: the type, the number of values, and where they or their place is
    file: bytes
    is_big: bool
    following: int  # where the next one lies, 0 for none

    @classmethod
    def first(cls, file: bytes) -> _Directory:
        order = "<" if file[:2] == b"II" else ">"
        if file[:2] not in (b"II", b"MM"):
            raise ValueError("no directory of tags")
        is_big = struct.unpack_from(order + "H", file, 2)[0] == 43
        (at,) = struct.unpack_from(order + ("Q" if is_big else "I"), file, 8 if is_big else 4)
        return cls.at(at, file, order, is_big)

    @classmethod
    def at(cls, at: int, file: bytes, order: str, is_big: bool) -> _Directory:
        number, head, step, place = ("Q", "HHQ", 20, 12) if is_big else ("H", "HHI", 12, 8)
        (count,) = struct.unpack_from(order + number, file, at)
        at += struct.calcsize(order + number)
        entries = {}
        for entry in range(at, at + step * min(count, 0xFFFF), step):
            tag, kind, length = struct.unpack_from(order + head, file, entry)
            entries.setdefault(tag, (kind, length, entry + place))  # As libtiff does, which ignores a second one.
        end = at + step * count
        following = int.from_bytes(file[end : end + (8 if is_big else 4)], _ORDERS[order])  # 0 where it is cut off
        return cls(order, entries, file, is_big, following)

    @property
    def tags(self) -> dict[int, int]:
        """Those that hold one 16-bit or 32-bit number."""
        return {
            tag: struct.unpack_from(self.order + {3: "H", 4: "I"}[kind], self.file, at)[0]
            for tag, (kind, length, at) in self.entries.items()
            if kind in (3, 4) and length == 1
        }

    def place(self, tag: int) -> tuple[int, int]:
        """Where the bytes of a tag lie, and how many there are."""
        _, length, at = self.entries[tag]
        return struct.unpack_from(self.order + ("Q" if self.is_big else "I"), self.file, at)[0], length


def _pages(file: bytes) -> Iterator[_Directory]:
    page, seen = _Directory.first(file), set()
    yield page
    while page.following and page.following not in seen and len(seen) < _PAGES_COUNTED:
        seen.add(page.following)
        try:
            page = _Directory.at(page.following, file, page.order, page.is_big)
        except struct.error:  # Cut off behind the first page, which is there.
            return
        yield page


_KINDS = (
    (rb"\xff\xd8\xff", _jpeg),
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"RIFF....WEBP", _webp),
    (rb"II[*+]\0|MM\0[*+]", _tiff),
    (rb"BM", _bmp),
    (rb"GIF8[79]a", _gif),
    # Four letters that say what may be in it, the second a number, and then again four letters each.
    (rb"....ftyp(?:....){0,12}?(?:avif|avis|mif1|msf1|" + _HEIC + rb")", _heif),
    (rb"P[1-6]\s", _any_map),
)

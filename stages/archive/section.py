"""Decodes one part of a film, from its key frame, and sees that it holds what the index of the film says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import av
import numpy as np

from ..sources.container import formats_of, only_decoding
from ..sources.conversion import Decoded, PixelAspect, shown_size
from ..sources.video import open_video
from .film import FilmPart, Key, NotDivisible

DAMAGED = "it is damaged"
_EARLIER_S = 10


def frames_of(path: Path, part: FilmPart) -> Iterator[Decoded]:
    """The frames whose stamps the part has, in order: its own, and those behind its end that are compared.

    Raises `NotDivisible` where the film gives others.
    """
    try:
        with ExitStack() as opened:
            packets, stream, by_decoding = _from(path, part.key, opened)
            yield from _expected(_decoded(packets, stream, _first(part), by_decoding), part, by_decoding)
    except av.error.FFmpegError as error:
        raise NotDivisible(DAMAGED) from error


def _first(part: FilmPart) -> int:
    """The stamp of the first frame that is shown. Those before it refer to frames that are not there.

    An open group has such frames behind its key frame, and so has a recording that was begun between key frames.
    """
    return int(np.frombuffer(part.stamps, np.int64, 1)[0])


def _expected(decoded: Iterator[Decoded], part: FilmPart, by_decoding: bool) -> Iterator[Decoded]:
    expected = np.frombuffer(part.stamps, np.int64).tolist()
    number = 0
    for one in decoded:
        stamp = one.frame.dts if by_decoding else one.frame.pts
        if number == 0 and stamp is not None and stamp < expected[0]:
            continue
        if stamp != expected[number]:
            raise NotDivisible("its frames are not those that its stamps say")
        if one.frame.is_corrupt:
            raise NotDivisible(DAMAGED)
        if shown_size(*one) != (part.width, part.height):
            raise NotDivisible("the size of its pictures changes")
        yield one
        number += 1
        if number == len(expected):
            return
    raise NotDivisible("it has fewer frames than stamps")


def _decoded(packets: Iterator[av.Packet], stream: av.VideoStream, first: int, by_decoding: bool) -> Iterator[Decoded]:
    """`first`: the stamp from which on the decoder must not complain."""
    pixel_aspect = PixelAspect(stream)
    for packet in packets:
        if not packet.size and packet.dts is not None:  # "The same again", as of a reading from the beginning.
            continue
        with _complaints() as said:
            frames = packet.decode()
        stamp = packet.dts if by_decoding else packet.pts
        if said and (stamp is None or stamp >= first):
            raise NotDivisible(DAMAGED)
        pixel_aspect.decoded(packet)
        for frame in frames:
            yield Decoded(frame, pixel_aspect.of(frame))


@contextmanager
def _complaints() -> Iterator[list]:
    """What decoders say to be wrong meanwhile, on this thread.

    What they make of damaged data may depend on the pictures before it, whose memory they use again, and then it is
    another one where they begin elsewhere. Not all of them raise for it, or mark the frame.
    """
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=True) as said:
            yield said
    finally:
        av.logging.set_level(before)


def _from(path: Path, key: Key | None, opened: ExitStack) -> tuple[Iterator[av.Packet], av.VideoStream, bool]:
    """The packets from that of a key frame on; their stream; and whether what counts is when they are decoded."""
    # Where the format has no list of its key frames the place may be missed: then a little earlier, then the beginning.
    for earlier_s in (0, _EARLIER_S, None):
        container, stream, _ = open_video(path, path.name)
        opened.enter_context(container)
        by_decoding = only_decoding(formats_of(container))
        if key is None:
            return container.demux(stream), stream, by_decoding
        if earlier_s is not None:
            try:
                container.seek(key.seek - round(earlier_s / stream.time_base), stream=stream)
            except av.error.FFmpegError:  # This format cannot be set to there.
                continue
        if (packets := _found(container.demux(stream), key, by_decoding)) is not None:
            return packets, stream, by_decoding
    raise NotDivisible("a key frame is not found again")


def _found(packets: Iterator[av.Packet], key: Key, by_decoding: bool) -> Iterator[av.Packet] | None:
    for packet in packets:
        stamp = packet.dts if by_decoding else packet.pts
        if packet.is_keyframe and (stamp, packet.size) == (key.stamp, key.size):
            return chain([packet], packets)
        if packet.is_keyframe and stamp is not None and stamp > key.stamp:
            return None
    return None

"""The encoders of the annotated video. All give H.264, so that players and resumed runs need not know which it was."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace

from ..config.schema import ConfigError
from ..errors import reason
from .segments import SEGMENT, TIME_BASE, is_whole

SOFTWARE, AUTO = "software", "auto"
_RATE = 25  # frames a second of the trial
_TRIAL = (640, 360)  # pixels: hardware has a smallest size, some 150
_TRIAL_FRAMES = 3
_SPS = 7  # the type of the H.264 unit that parameter sets begin with


@dataclass(frozen=True, slots=True)
class Encoder:
    """One way to encode H.264; `options` are FFmpeg's, for a quality like that of `software` and little delay."""

    codec: str
    options: dict[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"  # or nv12
    bits_a_pixel: float = 0.0  # where the encoder holds a bit rate, and no quality


# Of `auto`, the first that works is taken. No VAAPI: PyAV's wheels are built without it.
ENCODERS = {
    # 640 x 360 frames of a real clip on one core, drawn faces included: superfast at factor 24 takes 1.8 ms and 627 kB
    # for nine seconds, ultrafast with its deblocking filter switched on again 1.05 ms and 868 kB, both with a
    # structural similarity (SSIM) of 0.989; ultrafast as it is takes 0.83 ms, but has 0.983, and blocks show.
    SOFTWARE: Encoder(
        "libx264",
        {
            "preset": "ultrafast",
            "crf": "23",
            "tune": "zerolatency",  # No B-frames and no look-ahead: a frame is in the file when `write` returns.
            "x264-params": "no-deblock=0:deblock=0,0",
        },
    ),
    "nvenc": Encoder(
        "h264_nvenc", {"preset": "p4", "tune": "ll", "rc": "vbr", "cq": "23", "zerolatency": "1", "delay": "0"}
    ),
    "qsv": Encoder("h264_qsv", {"preset": "veryfast", "global_quality": "23", "async_depth": "1"}, "nv12"),
    "amf": Encoder("h264_amf", {"usage": "lowlatency", "rc": "cqp", "qp_i": "23", "qp_p": "23"}),
    "videotoolbox": Encoder("h264_videotoolbox", {"realtime": "1", "prio_speed": "1"}, bits_a_pixel=0.15),
    "v4l2m2m": Encoder("h264_v4l2m2m", bits_a_pixel=0.15),
}


def refuse_encoder(name: str) -> None:
    """Raise `ConfigError` where `render.encoder` names an encoder that does not work on this machine."""
    if name == AUTO or (why := failure(name, _TRIAL)) is None:
        return
    there = [other for other in ENCODERS if failure(other, _TRIAL) is None]
    raise ConfigError(
        f"render.encoder is {name}, which does not work on this machine ({why}); write {AUTO} or one that does:"
        f" {', '.join(there)}."
    )


def chosen(name: str, size: tuple[int, int]) -> str:
    """The encoder that a video of this width and height gets; of `auto` the first hardware encoder that takes it."""
    if name != AUTO:
        return name
    hardware = (other for other in ENCODERS if other != SOFTWARE)
    return next((other for other in hardware if failure(other, size) is None), SOFTWARE)


@cache
def failure(name: str, size: tuple[int, int]) -> str | None:
    """Why this encoder gives no video of this width and height here, in the driver's words; None where it does.

    Three frames are encoded and read back: drivers open what they cannot do, and say so only at the first frame.
    """
    if ENCODERS[name].codec not in av.codecs_available:
        return f"PyAV was built without {ENCODERS[name].codec}"
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)  # The error itself says no more than "Operation not permitted".
    try:
        with av.logging.Capture() as logged:
            frames = _there_and_back(name, size)
    except (av.FFmpegError, OSError) as error:
        return logged[0][2].strip().rstrip(".") if logged else reason(error)
    finally:
        av.logging.set_level(level)
    return None if frames == _TRIAL_FRAMES else f"it gave {frames} of {_TRIAL_FRAMES} frames"


def _there_and_back(name: str, size: tuple[int, int]) -> int:
    """How many frames can be decoded of those that were encoded."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options=SEGMENT) as container:
        stream = add_stream(container, name, size, Fraction(_RATE), _RATE)
        grey = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
        for number in range(_TRIAL_FRAMES):
            container.mux(encoded(stream, grey, round(number / _RATE / TIME_BASE)))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, format="mp4") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        frames = [frame for packet in [*packets, None] for frame in container.streams.video[0].decode(packet)]
    return len(frames) if all(map(is_whole, packets)) else 0


def add_stream(
    container: av.container.OutputContainer, name: str, size: tuple[int, int], rate: Fraction, group: int
) -> av.VideoStream:
    """Open the encoder and add its stream; raises `av.FFmpegError`.

    `size`: width and height in pixels, even; `rate`: nominal frames a second; `group`: frames from one key frame to
    the next.
    """
    wanted = ENCODERS[name]
    stream = container.add_stream(wanted.codec, rate=rate, options=dict(wanted.options))
    stream.width, stream.height, stream.pix_fmt, stream.time_base = *size, wanted.pixel_format, TIME_BASE
    encoder = stream.codec_context
    encoder.time_base, encoder.thread_count, encoder.gop_size, encoder.max_b_frames = TIME_BASE, 1, group, 0
    if wanted.bits_a_pixel:
        encoder.bit_rate = round(wanted.bits_a_pixel * size[0] * size[1] * rate)
    # Tagged as OpenCV converts, or players would guess the colours from the size.
    encoder.color_range, encoder.colorspace = ColorRange.MPEG, Colorspace.ITU601
    encoder.color_primaries = encoder.color_trc = 1  # BT.709's, which are those of sRGB
    encoder.open()
    return stream


def encoded(stream: av.VideoStream, planes: np.ndarray, pts: int, is_key: bool = False) -> list[av.Packet]:
    """Encode one picture, uint8 (H * 3 / 2, W) I420, at `pts` in units of TIME_BASE; raises `av.FFmpegError`.

    `is_key`: it is to be a key frame, whenever the last one was.
    """
    picture = av.VideoFrame.from_ndarray(planes, "yuv420p")
    if stream.pix_fmt != "yuv420p":
        picture = picture.reformat(format=stream.pix_fmt)
    picture.pts, picture.time_base = pts, TIME_BASE
    if is_key:
        picture.pict_type = PictureType.I
    return stream.encode(picture)


def self_contained(packets: Iterator[av.Packet], header: bytes | None) -> Iterator[av.Packet]:
    """The frames of segments, each decodable in a file whose `header` (avcC) is that of the first segment.

    Where another encoder has written a segment, its key frames get its own parameter sets.
    """
    active = header  # what a decoder would use; None: unknown
    for packet in packets:
        own = packet.stream.codec_context.extradata
        if packet.is_keyframe and bytes(packet)[4] & 31 == _SPS:
            active = None
        elif packet.is_keyframe and (own != header or own != active):
            packet, active = _prefixed(packet, own), own
        yield packet


def _prefixed(packet: av.Packet, header: bytes) -> av.Packet:
    with_sets = av.Packet(_parameter_sets(header) + bytes(packet))
    with_sets.pts, with_sets.dts, with_sets.time_base = packet.pts, packet.dts, packet.time_base
    with_sets.is_keyframe = True
    return with_sets


def _parameter_sets(header: bytes) -> bytes:
    """The sequence and picture parameter sets of an avcC box (ISO 14496-15, 5.3.3.1), each after its length."""
    sets, place = b"", 5
    for count_bits in (31, 255):
        count = header[place] & count_bits
        place += 1
        for _ in range(count):
            length = int.from_bytes(header[place : place + 2])
            sets += length.to_bytes(4) + header[place + 2 : place + 2 + length]
            place += 2 + length
    return sets

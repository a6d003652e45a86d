"""Which files are read as pictures and as videos, by the ends of their names."""

from __future__ import annotations

_PICTURES = ".jpg .jpeg .jpe .jfif .mpo .png .webp .avif .heic .heif .hif .bmp .dib .tif .tiff .pgm .ppm .pbm .pnm"
_VIDEOS = (
    ".mp4 .m4v .mov .qt .3gp .3g2 .mkv .webm .avi .mpg .mpeg .vob .m2v .ts .mts .m2ts .wmv .asf .flv .ogv .dv .mxf .nut"
    " .h264 .264 .h265 .265 .hevc .ivf .obu .y4m .mjpeg .mjpg .gif .apng"
)
PICTURES, VIDEOS = frozenset(_PICTURES.split()), frozenset(_VIDEOS.split())

"""Which files are read as pictures and as videos, by the ends of their names; and which of them keep their name."""

from __future__ import annotations

_PICTURES = ".jpg .jpeg .jpe .jfif .mpo .png .webp .avif .bmp .dib .tif .tiff .pgm .ppm .pbm .pnm"
_VIDEOS = ".mp4 .m4v .mov .qt .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .wmv .flv .3gp .ogv .mjpeg .mjpg .gif .apng"
PICTURES, VIDEOS = frozenset(_PICTURES.split()), frozenset(_VIDEOS.split())

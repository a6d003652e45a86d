"""The processes of the pipeline, one module each, and the parts that they are wired from."""

import os

from stages.core.missing import say_what_is_missing

# OpenCV reads this once, when it is loaded, and every way to it leads past here. Our own checks come first and name the
# picture; this one is for what they do not see. It is `PICTURE_PIXELS` in stages/core/limits.py.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

say_what_is_missing()

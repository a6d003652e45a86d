"""The processes of the pipeline, one module each, and the parts that they are wired from."""

import os
import signal
import sys

from .dependencies import say_what_is_missing
from .exit_status import after_signal

# Ctrl-C or SIGTERM while the modules of a stage are read: nothing was begun yet, and nobody wants a traceback. With -m
# this package is read before the stage's own module, and Python has not replaced that word yet. A launcher tells by the
# signal who has ended a stage of its own, so there it stays the system's. A program that imports this is left as it is.
if sys.argv[:1] == ["-m"]:
    say_what_is_missing()
    if "--launched" not in sys.argv:
        for _number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(_number, lambda number, _: os._exit(after_signal(number)))

# OpenCV reads this once, when it is loaded, and every way to it leads past here. Our own checks come first and name the
# picture; this one is for what they do not see. It is `PICTURE_PIXELS` in stages/protocol/limits.py.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

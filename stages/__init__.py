"""The processes of the pipeline, one module each, and the parts that they are wired from."""

import os
import signal
import sys

from .dependencies import say_what_is_missing
from .exit_status import after_signal

_words = sys.orig_argv
_module = _words[_words.index("-m") + 1] if sys.argv[:1] == ["-m"] and "-m" in _words else ""

# With -m this package is read before the program's own module, and Python has not replaced that word yet. In a program
# of somebody else's that imports facepipe none of this is ours to change.
if _module.partition(".")[0] in ("facepipe", "stages", "train", "bench"):
    say_what_is_missing()
    # Ctrl-C or SIGTERM while the modules are read: nothing was begun yet, and nobody wants a traceback. A launcher
    # tells by the signal who has ended a stage of its own, so there it stays the system's.
    if "--launched" not in sys.argv:
        for _number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(_number, lambda number, _: os._exit(after_signal(number)))

# OpenCV reads this once, when it is loaded, and every way to it leads past here. Our own checks come first and name the
# picture; this one is for what they do not see. It is `PICTURE_PIXELS` in stages/protocol/limits.py.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

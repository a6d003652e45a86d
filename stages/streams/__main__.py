"""The process of one stream, started by render: `python -m stages.streams`. It connects once, and ends with its server.

Nothing here is started again or waited for: sending.py does that, from outside. So a server that never answers, and a
library that hangs or crashes in C, end one connection.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import av

from ..errors import reason, way_out
from ..exit_status import ExitStatus
from ..locks import Taken
from .clock import StreamClock
from .destination import Destination
from .folder import StreamFolder
from .hls import HlsOutput
from .output import Output
from .rtsp import RtspOutput
from .wire import TAKEN, Ended, Task, received

REPEAT_S = 1.0  # without a new frame: the last one is sent again, or servers and players would leave
_INPUT, _OUTPUT = 0, 1


def main() -> int:
    """Send what render gives, until it ends it or the server does; returns the exit status."""
    if (task := Task.read(_INPUT)) is None:
        return ExitStatus.FAILED
    try:
        with _opened(task) as output:
            _serve(output, task)
    except Taken as taken:
        return _ended(f"it is written by {taken.holder}")
    except (OSError, av.FFmpegError) as error:
        helps = way_out(error)
        return _ended(f"{reason(error)}{f'; {helps}' if helps else ''}")
    except Exception as error:  # A defect. Its own words may hold the address, and the password in it.
        traceback.print_tb(error.__traceback__)
        return _ended(f"its process failed with {type(error).__name__}; logs/render.log says where")
    return ExitStatus.DONE


@contextmanager
def _opened(task: Task) -> Iterator[Output]:
    playlist = Destination(task.address).playlist
    if playlist is None:
        with _in_time(task):
            output = RtspOutput(task.address, task.format)
        yield output
        return
    folder = StreamFolder(playlist)
    with folder.held():
        yield HlsOutput(folder, task.format)


def _serve(output: Output, task: Task) -> None:
    _say(TAKEN)
    clock, last = StreamClock(time.monotonic()), None
    while True:
        match received(_INPUT, task.format.size, REPEAT_S):
            case Ended(of_source):
                with _in_time(task):
                    output.close(of_source)
                return _say(TAKEN)
            case None if last is not None:
                with _in_time(task):
                    output.write(last.planes, clock.of_repeat(time.monotonic()))
            case None:
                pass
            case last:
                with _in_time(task):
                    output.write(last.planes, clock.of_frame(last.time_s, time.monotonic()))
                _say(TAKEN)


@contextmanager
def _in_time(task: Task) -> Iterator[None]:
    """End the process where this takes too long. PyAV holds the interpreter while it connects: no thread could."""
    signal.alarm(task.patience_s)
    yield
    signal.alarm(0)


def _say(line: bytes) -> None:
    os.write(_OUTPUT, line)


def _ended(why: str) -> int:
    with suppress(OSError):  # Render is gone as well.
        _say(why.encode("utf-8", "backslashreplace") + b"\n")
    return ExitStatus.FAILED


if __name__ == "__main__":
    av.logging.set_level(None)  # Its messages may hold the address, and the password in it.
    os._exit(main())  # Without closing what is open: that would wait for a server that is away.

"""Where the processor time of a stage's main thread goes: named functions are timed, each without those it calls."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps


class Spans:
    """Seconds of processor time and calls by name. One thread only."""

    def __init__(self):
        self._spent_s: defaultdict[str, float] = defaultdict(float)
        self._calls: defaultdict[str, int] = defaultdict(int)
        self._inner_s = [0.0]  # what the calls within the one under way have taken, innermost last

    @classmethod
    def installed(cls) -> Spans:
        """Around what the stages do about messages, and around their work."""
        spans = cls()
        spans._around_sockets()
        spans._around_decisions()
        spans._around_work()
        return spans

    def report(self) -> dict[str, tuple[int, float]]:
        """Calls and seconds by name."""
        return {name: (self._calls[name], seconds) for name, seconds in self._spent_s.items()}

    def around(self, place: object, function: str, name: Callable[[tuple, object], str]) -> None:
        """Time a function or method from now on, by the name that its arguments and its result give it."""
        original = getattr(place, function)

        @wraps(original)
        def timed(*arguments, **named):
            self._inner_s.append(0.0)
            started_s, result = time.thread_time(), None
            try:
                result = original(*arguments, **named)
                return result
            finally:
                took_s = time.thread_time() - started_s
                inner_s = self._inner_s.pop()
                self._inner_s[-1] += took_s
                called = name(arguments, result)
                self._spent_s[called] += took_s - inner_s
                self._calls[called] += 1

        setattr(place, function, timed)

    def _around_sockets(self) -> None:
        import zmq

        from stages.supervision.stage import ControlChannel
        from stages.transport import sockets

        self.around(sockets.RouterSocket, "send", lambda given, _: f"send {given[2].kind}")
        self.around(sockets.DealerSocket, "send", lambda given, _: f"send {given[1].kind}")
        self.around(sockets, "unpack", lambda _, message: f"unpack {message.kind if message else 'what is refused'}")
        self.around(zmq.Socket, "recv_multipart", lambda _, parts: "receive" if parts else "receive nothing")
        self.around(sockets.Transport, "wait", lambda *_: "wait")
        self.around(sockets.Waker, "clear", lambda *_: "wake")
        for method in ("heartbeat", "progress"):
            self.around(ControlChannel, method, lambda *_: "tell the launcher")

    def _around_decisions(self) -> None:
        from stages.delivery.dispatcher import Dispatcher
        from stages.delivery.joiner import Joiner

        self.around(Dispatcher, "step", lambda given, _: f"dispatcher {_name(given[1])}")
        self.around(Joiner, "step", lambda given, _: f"joiner {type(given[1]).__name__}")

    def _around_work(self) -> None:
        """Only what this stage has imported: nothing is loaded for the sake of being measured."""
        for module, function in (
            ("stages.detect", "_answer"),
            ("stages.vision.inference.model", "Model.answers"),
            ("stages.view.postprocess", "PostProcessor.finish"),
            ("stages.view.postprocess", "PostProcessor.draw"),
            ("stages.rendering.source", "finished"),
            ("stages.sinks.recorder", "Recorder.write"),
            ("stages.sinks.recorder", "Recorder.close"),
        ):
            place = sys.modules.get(module)
            if place is not None:
                *path, last = function.split(".")
                for step in path:
                    place = getattr(place, step)
                self.around(place, last, lambda *_, name=last: f"work {name.strip('_')}")


def _name(event: object) -> str:
    """What a dispatcher hears; of what a worker has said, the message."""
    return type(getattr(event, "message", event)).__name__

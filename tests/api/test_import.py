"""`import facepipe`, in a program of somebody else's."""

from __future__ import annotations

import json
import subprocess
import sys

from stages import api

LOOK = """
import json, signal, sys
before = sys.excepthook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
import facepipe
quick = {"numpy", "cv2", "yaml", "zmq"}.isdisjoint(sys.modules)
names = {name: callable(getattr(facepipe, name)) for name in dir(facepipe)}
after = sys.excepthook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
slow = {"zmq", "tensorflow", "ai_edge_litert", "pyarrow", "pandas"} & set(sys.modules)
print(json.dumps([quick, names, before == after, sorted(slow)]))
"""


def test_it_loads_libraries_only_where_they_are_used_and_leaves_the_program_as_it_is():
    printed = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, check=True, text=True).stdout
    is_quick, names, is_unchanged, slow = json.loads(printed)
    assert is_quick and is_unchanged and slow == []
    assert names == dict.fromkeys(api.__all__, True)

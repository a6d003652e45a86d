"""Coverage-guided fuzzing of everything that looks at bytes of a peer, with atheris, which the tests do without:

    pip install atheris
    python -m tests.fuzz.codec -max_total_time=300 -max_len=4096

Anything but a message or a refusal is a find, and so is a picture of another size than was announced.
"""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["stages", "msgpack"]):
    from stages.protocol.messages import FROM_RENDER, TO_CAPTURE, TO_RENDER, TO_WORKER, Encoded, Refused, kinds, unpack
    from stages.transport.curve import known_host
    from stages.transport.images import _array
    from stages.transport.keys import Keyring

TABLES = tuple(kinds(*messages) for messages in (TO_CAPTURE, TO_RENDER, TO_WORKER, FROM_RENDER))
KEYRING = Keyring("desk", b"x" * 40, {"desk": b"y" * 40})


def one_input(data: bytes) -> None:
    """The end of the data says who hears it, and how the rest is cut into parts."""
    provider = atheris.FuzzedDataProvider(data)
    target = provider.ConsumeIntInRange(0, 6)
    with contextlib.suppress(Refused):
        if target < len(TABLES):
            unpack(_parts(provider, 1 + provider.ConsumeIntInRange(0, 2), longest=2000), TABLES[target])
        elif target == 4:
            assert known_host(KEYRING, _parts(provider, provider.ConsumeIntInRange(0, 9), longest=40)) is None
        else:
            shape = (provider.ConsumeIntInRange(1, 64), provider.ConsumeIntInRange(1, 64), 3)
            picture = Encoded("jpeg" if target == 5 else "png", shape, provider.ConsumeBytes(4096))
            assert _array(picture).shape == shape


def _parts(provider, count: int, longest: int) -> list[bytes]:
    return [provider.ConsumeBytes(provider.ConsumeIntInRange(0, longest)) for _ in range(count)]


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()

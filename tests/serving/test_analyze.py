"""What comes back for a picture that is posted to the server, and for what is none."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.api import analyze
from tests.browser import until
from tests.serving.server import Server, all_of, form

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

FORM = "multipart/form-data; boundary=b0undary"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), "--megabytes", "2", "--megapixels", "4") as server:
        yield server


@pytest.fixture(scope="module")
def photo(media: Path) -> bytes:
    return (media / "obama.jpg").read_bytes()


def test_the_faces_of_a_picture_are_those_of_analyze(server, photo):
    expected = [face.to_json() for face in analyze(photo)]
    assert expected
    for answer in (server.analyze(photo), server.analyze(form(photo), FORM)):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json["faces"] == expected
        assert (answer.json["width"], answer.json["height"]) == (910, 1137)


def test_the_picture_with_labels_comes_where_a_jpeg_is_preferred(server, photo):
    answer = server.analyze(photo, Accept="application/json;q=0.5, image/*")
    assert answer.headers["Content-Type"] == "image/jpeg"
    drawn = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    original = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == original.shape
    assert np.abs(drawn.astype(int) - original).max() > 100  # Something is drawn.


def test_faces_are_hidden_in_the_picture_where_the_configuration_says_so(tmp_path, photo):
    with Server(tmp_path, "--set", "render.blur=pixelate", "--set", "render.style=none") as server:
        drawn = cv2.imdecode(np.frombuffer(server.analyze(photo, Accept="image/jpeg").body, np.uint8), cv2.IMREAD_COLOR)
    x, y, width, height = map(int, analyze(photo)[0].box)
    face = cv2.cvtColor(drawn, cv2.COLOR_BGR2GRAY)[y : y + height, x : x + width]
    assert cv2.Laplacian(face, cv2.CV_64F).var() < 100  # Blocks of one colour have hardly an edge.


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"", "image/jpeg", 422, "empty"),
        (b"no picture", "image/jpeg", 422, "not a JPEG"),
        (b"\xff\xd8\xff\xe0 cut off", "image/jpeg", 422, ""),
        (b"a=b", "application/x-www-form-urlencoded", 415, "Content-Type"),
        (b"{}", "application/json", 415, "Content-Type"),
        (b"x", "multipart/form-data", 400, "boundary"),
        (b"x", FORM, 400, "form"),
        (form(b"x", files=0), FORM, 400, "0 files"),
        (form(b"x", files=2), FORM, 400, "2 files"),
        (form(b"x" * 10, files=1000), FORM, 400, "form"),
        (form(b"x"), FORM, 422, "picture"),
        (b"x" * 2_000_001, "image/jpeg", 413, "2 MB"),
        (iter([b"x" * 1_000_001] * 2), "image/jpeg", 413, "2 MB"),  # No Content-Length tells it beforehand.
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(server, body, kind, status, words):
    answer = server.analyze(body, kind)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert words in answer.error
    assert answer.error.endswith(".")


def test_a_body_that_is_compressed_once_more_is_refused_before_it_is_unpacked(server):
    assert server.analyze(b"\x1f\x8b", Content_Encoding="gzip").status == 415


def test_an_accept_header_that_allows_nothing_there_is_is_refused(server, photo):
    assert server.analyze(photo, Accept="text/html").status == 406


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(server):
    answer = server.analyze(png(20_000, 20_000), "image/png")
    assert answer.status == 413
    assert "20000 x 20000" in answer.error


def test_a_body_of_100_mb_costs_no_memory(server):
    psutil = pytest.importorskip("psutil")
    before = psutil.Process(server.process.pid).memory_info().rss
    answer = server.analyze((b"x" * 1_000_000 for _ in range(100)), "image/png")
    assert answer.status == 413
    assert psutil.Process(server.process.pid).memory_info().rss - before < 50_000_000


def test_many_at_once_get_their_answers_or_503(server, photo):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.analyze(photo), range(40)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert sum(answer.status == 200 for answer in answers) >= 8
    assert len({answer.body for answer in answers if answer.status == 200}) == 1
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status == 503)
    assert server.analyze(photo).status == 200


def test_a_client_that_leaves_takes_no_place(server, photo):
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(photo)}\r\n\r\n".encode()
    for sent in (head, head + photo[:1000], head + photo):
        for _ in range(10):
            server.raw(sent).close()
    until(lambda: server.analyze(photo).status == 200, "an answer for one that stays")


def test_requests_in_a_row_over_one_connection_are_answered_in_order(server, photo):
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(photo)}\r\n\r\n".encode()
    get = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with server.raw(get % b"healthz" + head + photo + get % b"nothing" + b"\0\0nonsense\r\n\r\n") as connection:
        answered = all_of(connection)
    assert [int(line[:3]) for line in answered.split(b"HTTP/1.1 ")[1:]] == [200, 200, 404, 400]


def png(width: int, height: int) -> bytes:
    """A small file that says it is large."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

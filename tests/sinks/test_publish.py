"""The messages about finished frames."""

from __future__ import annotations

import json

import cv2
import msgpack
import numpy as np

from stages.results.jsonl import line
from stages.sinks.publish import Publication
from tests.results.frames import face, flat, frame


def test_a_message_says_what_the_line_says():
    seen = frame(3, faces=[face(1.23456, 2, 30)], file="ä.mp4")
    topic, body = Publication(7).parts(seen)
    assert topic == b"clip.mp4"
    assert msgpack.unpackb(body) == {"seq": 0, "since": 7, "record": json.loads(line(seen))}


def test_the_messages_of_each_source_are_numbered_from_0():
    publication = Publication(7)
    numbers = [
        (topic, msgpack.unpackb(body)["seq"])
        for source in ("door", "yard", "door", "door", "yard")
        for topic, body in [publication.parts(frame(source=source))]
    ]
    assert numbers == [(b"door", 0), (b"yard", 0), (b"door", 1), (b"door", 2), (b"yard", 1)]


def test_the_picture_goes_with_it_as_a_jpeg_where_it_is_asked_for():
    _, _, jpeg = Publication(7, quality=90).parts(frame(pixels=flat(64, 48, 77)))
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (48, 64, 3) and abs(pixels.astype(int) - 77).max() <= 1

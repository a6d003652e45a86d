"""What is kept of each tracked face for the window."""

from __future__ import annotations

from dataclasses import replace

from stages.view.track_history import OVER_S, TrackHistory
from tests.results.frames import ANSWERS, face, frame


def followed(time: float, *ids: int | None, file: str | None = None):
    return frame(0, faces=[replace(face(0, 0, 10), id=number) for number in ids], time=time, file=file)


def times(history: TrackHistory, number: int, until: float) -> list[float]:
    return [sample.time for sample in history.of(number, until)]


def test_the_answers_of_a_face_are_kept_by_its_id_for_a_minute():
    history = TrackHistory()
    for time in range(100):
        history.add(followed(float(time), 1, None) if time < 50 else followed(float(time), 2))
    assert times(history, 1, 49.0) == [float(time) for time in range(50)]
    assert times(history, 1, 20.0) == [float(time) for time in range(21)]  # up to the frame that is shown
    assert times(history, 1, 49.0 + OVER_S) == [49.0] and times(history, 1, 50.0 + OVER_S) == []
    assert history.of(2, 99.0)[-1].answers == ANSWERS
    assert history.of(3, 99.0) == []


def test_samples_are_apart_and_memory_is_bounded():
    history = TrackHistory()
    for number in range(1000):
        history.add(followed(number / 100, 1))
        history.add(followed(number / 100, 1000 + number))
    assert len(history.of(1, 10.0)) <= 51
    assert sum(bool(history.of(1000 + number, 10.0)) for number in range(1000)) < 40


def test_ids_of_another_file_of_a_folder_are_other_faces():
    history = TrackHistory()
    history.add(followed(1.0, 1, file="a.mp4"))
    history.add(followed(1.0, 1, file="b.mp4"))
    assert len(history.of(1, 1.0)) == 1
    history.add(followed(1.5, 2, file="c.mp4"))
    assert history.of(1, 1.5) == []

"""What is gathered from the lines: people, how long, what was said, what is missing."""

from __future__ import annotations

import pytest

from stages.answers import Age, Value
from stages.reading.lines import DropEntry, Line, files
from stages.report import gathering
from stages.report.gathering import FACES, FILMS, GONE_S, UNFOLLOWED, Film, gather, losses_by_reason
from tests.report.material import between, followed
from tests.results.frames import face


def line(frame: int, *faces, time: float | None = None, **more) -> Line:
    values = {"source": "clip.mp4", "file": None, "width": 96, "height": 64, "missing": [], "error": None} | more
    return Line(frame=frame, time=frame / 25 if time is None else time, faces=list(faces), **values)


def test_a_person_is_there_from_the_first_frame_to_the_last_and_for_as_long_as_frames_last():
    lines = [line(n, *([followed(4)] if 10 <= n < 20 or n >= 30 else [])) for n in range(40)]
    [film] = gather(lines, 10).films
    [person] = film.shown
    assert (person.id, round(person.first_s, 3), round(person.last_s, 3)) == (4, 0.4, 1.6)
    assert person.seconds == pytest.approx(20 / 25)
    assert film.seconds == pytest.approx(1.6)


def test_an_answer_stands_until_the_next_frame_but_not_for_an_hour():
    [film] = gather([line(0, followed(1)), line(1, followed(1), time=3600.0)], 10).films
    assert film.people[1].seconds == pytest.approx(2.0)


def test_shares_are_of_time_and_numbers_are_means_over_it():
    young, old = Age(20.0, 10.0, 30.0, "20-29"), Age(40.0, 30.0, 50.0, "40-49")
    lines = [line(0, followed(1, emotion="sad", age=young), time=0.0)]
    lines += [line(1, followed(1, emotion="happy", age=old), time=0.3)]
    lines += [line(2, followed(1, emotion="happy", age=old), time=0.6)]
    gathered = gather(lines, 10)
    assert gathered.coloured == "emotion"
    said = gathered.films[0].people[1].over_time
    assert said["emotion"].shares == [("happy", pytest.approx(2 / 3)), ("sad", pytest.approx(1 / 3))]
    assert said["age"].mean.years == pytest.approx((20 + 40 + 40) / 3)
    assert said["gender"].mean.label == "woman" and said["gender"].mean.confidence == pytest.approx(0.97)
    assert said["emotion"].best["sad"][1].frame == 0


def test_what_is_no_number_counts_for_nothing():
    lines = [line(n, followed(1, height=Value(float("nan") if n else 1.5))) for n in range(3)]
    said = gather(lines, 10).films[0].people[1].over_time["height"]
    assert said.mean == Value(1.5)


def test_where_emotion_is_shown_smoothed_the_moment_is_one_whose_own_answer_agrees():
    contrary = followed(1, emotion="happy")
    contrary.answers["emotion"] = followed(1, emotion="sad").answers["emotion"]
    contrary.smoothed["emotion"] = followed(1, emotion="happy").answers["emotion"]
    lines = [line(0, contrary), line(1, followed(1, emotion="happy"))]
    assert gather(lines, 10).films[0].people[1].over_time["emotion"].best["happy"][1].frame == 1


def test_what_is_carried_on_counts_for_the_frames_between_and_stages_keep_their_order():
    lines = [line(0, between(followed(1), carried_on=False)), line(1, followed(1)), line(2, between(followed(1)))]
    said = gather(lines, 10).films[0].people[1].over_time
    assert list(said) == ["gender", "emotion", "age"]
    assert said["age"].seconds == said["gender"].seconds == pytest.approx(2 / 25)
    assert said["emotion"].seconds == pytest.approx(3 / 25)


def test_those_who_were_there_longest_are_shown_in_the_order_of_their_coming():
    lines = [line(n, *(followed(k) for k in (1, 2, 3) if n >= 100 - 20 * k)) for n in range(100)]
    [film] = gather(lines, 2).films
    assert [person.id for person in film.shown] == [3, 2]
    assert (film.let_go, film.count) == (1, 3)


def test_who_is_seen_for_a_moment_is_counted_and_not_shown():
    lines = [line(n, followed(1), *([followed(2)] if n == 3 else [])) for n in range(50)]
    [film] = gather(lines, 10).films
    assert [person.id for person in film.shown] == [1] and film.brief == 1


def test_who_is_seen_for_a_moment_is_in_no_chart_and_no_share():
    lines = [line(n, followed(1), *([followed(2, emotion="sad")] if n == 3 else [])) for n in range(50)]
    [film] = gather(lines, 10).films
    assert film.labels == {"happy": pytest.approx(2.0)}


def test_who_is_not_shown_but_was_there_is_in_the_charts():
    lines = [line(n, followed(1), *([followed(2, emotion="sad")] if n < 20 else [])) for n in range(50)]
    [film] = gather(lines, 1).films
    assert [person.id for person in film.shown] == [1]
    assert film.labels == {"happy": pytest.approx(2.0), "sad": pytest.approx(0.8)}


def test_where_everybody_is_seen_for_a_moment_only_they_are_shown():
    [film] = gather([line(0, followed(1)), line(1, followed(2))], 10).films
    assert len(film.shown) == 2 and film.brief == 0


def test_faces_that_were_not_followed_are_told_of_together():
    gathered = gather([line(n, face(1, 1, 20), face(40, 1, 20)) for n in range(25)], 10)
    [film] = gathered.films
    assert film.people[UNFOLLOWED].seconds == pytest.approx(2.0)
    assert gathered.people == 0


def test_pictures_and_videos_of_a_folder_are_told_apart():
    lines = [line(0, face(1, 1, 20), file="a.jpg", time=0.0), line(1, file="b.jpg", time=0.0)]
    lines += [line(2 + n, followed(1), file="c.mp4", time=n / 25) for n in range(5)]
    gathered = gather(lines, 10)
    assert [still.moment.file for still in gathered.stills] == ["a.jpg"]
    assert (gathered.still_count, gathered.empty_stills, gathered.film_count) == (2, 1, 1)
    assert [person.best_moment.time for person in gathered.films[0].shown] == [0.0]
    assert [is_film for is_film, _ in files(lines)] == [False, False, True]


def test_of_a_large_folder_the_first_are_shown_and_all_are_counted():
    stills = (line(n, face(1, 1, 20), file=f"{n}.jpg", time=0.0) for n in range(FACES + 7))
    assert (len((gathered := gather(stills, 10)).stills), gathered.still_faces) == (FACES, FACES + 7)
    films = [line(2 * n + k, followed(1), file=f"{n}.mp4", time=k / 25) for n in range(FILMS + 3) for k in range(2)]
    assert (len((gathered := gather(films, 10)).films), gathered.film_count) == (FILMS, FILMS + 3)


def test_what_is_missing_is_seen_where_it_is():
    lines = [line(0), line(1, missing=["age"]), line(2, error="late"), line(3), line(10), line(11)]
    gathered = gather(lines, 10)
    assert (gathered.missing, gathered.errors) == ({"age": 1}, {"late": 1})
    runs = [what for _, _, what in gathered.films[0].lost.runs()]
    assert runs == ["given up", "not analysed", "dropped"]


def test_losses_are_added_up_by_what_where_and_why():
    losses = [DropEntry("dropped", 0, 9, "detect", "late"), DropEntry("dropped", 20, 20, "detect", "late")]
    assert losses_by_reason(losses) == {("dropped", "detect", "late"): 11}
    many = losses_by_reason(DropEntry("dropped", n, n, "detect", f"reason {n}") for n in range(1000))
    assert len(many) <= 51 and sum(many.values()) == 1000


def test_however_many_people_pass_by_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr(gathering, "CROWD", 200)
    remembered = []
    thin_out = Film.thin_out

    def watched(film: Film, most: int, now_s: float) -> None:
        thin_out(film, most, now_s)
        remembered.append(len(film.people))

    monkeypatch.setattr(Film, "thin_out", watched)
    others = [number for number in range(2, 1502) for _ in range(2)]
    lines = (line(n, followed(1), followed(number), time=n / 2) for n, number in enumerate(others))
    gathered = gather(lines, 40)
    assert gathered.people == 1501 and len(gathered.films[0].shown) == 40
    assert gathered.films[0].shown[0].seconds == pytest.approx(1500.0)
    assert len(remembered) >= 10 and max(remembered) <= 40 + 2 * GONE_S

"""The order in which faces are told."""

from __future__ import annotations

import pytest

from stages.reading.lines import ResultsError
from stages.reading.order import By, cells_to_sort, read_order, sort_by


def test_columns_are_read_with_their_direction():
    assert read_order("gender, age:desc") == [By("gender"), By("age", descending=True)]
    for text in ("", "age,", ":desc"):
        with pytest.raises(ValueError):
            read_order(text)


@pytest.mark.parametrize(
    ("order", "sorted_files"),
    [
        ("age", "img2 img10 img1 none nan"),
        ("age:desc", "img1 img10 img2 none nan"),  # what is not known is last either way
        ("file", "img1 img2 img10 nan none"),  # numbers in names count by their value
        ("gender,age:desc", "img1 img2 none img10 nan"),
        ("gender", "img2 img1 none img10 nan"),  # equal ones stay as they came
    ],
)
def test_faces_are_sorted_by_one_column_after_the_other(order, sorted_files):
    rows = [
        {"file": "img10", "age": 30.0, "gender": "woman"},
        {"file": "none", "gender": "man"},
        {"file": "img2", "age": 7.0, "gender": "man"},
        {"file": "nan", "age": float("nan")},
        {"file": "img1", "age": 64.0, "gender": "man"},
    ]
    rows.sort(key=lambda row: ["img2", "img1", "none", "img10", "nan"].index(row["file"]))
    assert " ".join(row["file"] for row in sort_by(read_order(order), rows, dict)) == sorted_files


def test_where_a_frame_has_no_answer_of_its_own_the_one_over_time_counts():
    assert cells_to_sort([By("age")], {"age": None, "smoothed_age": 31.0}) == (31.0,)


def test_an_unknown_column_is_a_sentence_with_those_that_there_are():
    with pytest.raises(ResultsError, match="no column aeg to sort by; write one of file, age"):
        sort_by([By("aeg")], [{"file": "a", "age": 1.0}], dict)

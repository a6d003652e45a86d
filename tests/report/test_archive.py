"""The page over an archive: all films together, each of them, and those that could not be analysed."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from stages.report.__main__ import main
from stages.report.archive import Files, archive_report
from stages.report.archive_page import LISTED, Archive, Film, archive_page
from stages.report.digest import Digest
from tests.browser import WHY_NOT, chromium
from tests.report.material import film, followed, recorded, written
from tests.results.frames import flat, frame
from tests.view.web.axe import AXE, violations

HOSTILE = "<script>alert(1)<&'\" # %41/é b.mp4"


def archived(folder: Path, films: dict[str, list], make=recorded, **others: str) -> Path:
    """An archive of these films; `others`: reasons by the names of films that could not be analysed."""
    folder.mkdir(exist_ok=True)
    for name, frames in films.items():
        make(folder / name, frames)
    rows = [{"film": name, "state": "done", "stamp": [1, "a"], "core_s": 2.0} for name in films]
    rows += [{"film": name, "state": "failed", "reason": reason} for name, reason in others.items()]
    (folder / "archive.json").write_text(json.dumps({"archive": "0123", "films": rows}))
    return folder


def page_of(folder: Path) -> str:
    assert main([str(folder)]) == 0
    return (folder / "archive.html").read_text(encoding="utf-8")


def tiles(page: str) -> dict[str, str]:
    found = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", page)
    return {name: re.sub("<.*?>", "", value).replace("\u202f", " ") for name, value in found}


def rows_of(page: str) -> list[list[str]]:
    table = page[page.index('class="sortable"') :]
    table = table[: table.index("</table>")]
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", table))
    return [[unescape(re.sub("<.*?>", "", cell)).replace("\u202f", " ") for cell in row] for row in cells]


def test_it_says_what_is_in_all_films_and_in_each_of_them(tmp_path):
    one, other = film(50, followed(1), followed(2, x=60.0, emotion="sad")), film(100, followed(1, emotion="sad"))
    page = page_of(archived(tmp_path / "films", {"2019/a.mp4": one, "b.mp4": other, "c.mp4": film(25)}))
    assert ">films</h1>" in page and "3 films · 7.0\u202fs of video" in page
    said = tiles(page)
    assert (said["people, at most"], said["at once, at most"], said["age"]) == ("3", "2", "31")
    assert (said["woman"], said["mostly"], said["time on one core"]) == ("3", "sad 75 %", "6.0 s")
    assert "Nobody is recognised from film to film" in page
    assert rows_of(page) == [
        ["film", "length", "people", "at once", "faces", "woman", "mean age", "mostly"],
        ["2019/a.mp4", "2.0 s", "2", "2", "100", "2", "31", "happy 50 %"],
        ["b.mp4", "4.0 s", "1", "1", "100", "1", "31", "sad 100 %"],
        ["c.mp4", "1.0 s", "0", "0", "0", "0", "", ""],
    ]
    assert len(re.findall("data:image/jpeg", page)) >= 2  # Best moments.


def test_films_without_results_are_listed_with_the_reason(tmp_path, capsys):
    folder = archived(
        tmp_path / "a", {"a.mp4": film(9), "gone.mp4": film(9)}, **{"x.mp4": "/films/2024/x.mp4 is damaged; repair it."}
    )
    (folder / "gone.mp4" / "results.jsonl").unlink()
    listed = json.loads((folder / "archive.json").read_text())
    listed["films"].append({"film": "later.mp4", "state": "open"})
    (folder / "archive.json").write_text(json.dumps(listed))
    page = page_of(folder)
    assert "<td>x.mp4</td><td>x.mp4 is damaged; repair it.</td>" in page
    assert re.search(r"<td>gone.mp4</td><td>[^<]* has no results.jsonl; ", page)
    assert "1 film is not analysed yet" in page
    assert len(rows_of(page)) == 2


def test_a_film_is_linked_to_its_own_report_and_names_are_only_text(tmp_path):
    folder = archived(
        tmp_path / "a", {HOSTILE: film(25, followed(1)), "b.mp4": film(25, followed(1))}, **{HOSTILE + "2": HOSTILE}
    )
    assert "<a href" not in page_of(folder)
    assert main([str(folder / HOSTILE)]) == 0
    page = page_of(folder)
    [link] = set(re.findall('<a href="([^"]*)"', page))
    assert (folder / unquote(unescape(link))).is_file()
    assert page.count("<script>") == 1 and HOSTILE in rows_of(page)[1][0]


def test_results_are_read_once_and_again_where_they_have_changed(tmp_path, capsys):
    folder = archived(tmp_path / "a", {"a.mp4": film(25, followed(1)), "b.mp4": film(25)})
    page = page_of(folder)
    assert "Reading the results of a.mp4." in capsys.readouterr().out
    results = folder / "a.mp4" / "results.jsonl"
    results.write_bytes(b" " * results.stat().st_size)
    assert rows_of(page_of(folder)) == rows_of(page)
    assert "Reading" not in capsys.readouterr().out
    written(folder / "a.mp4", film(50, followed(1), followed(2)))
    assert tiles(page_of(folder))["people, at most"] == "2"
    (folder / "a.mp4" / "digest.json").write_text('{"results_bytes": "many"}')
    assert tiles(page_of(folder))["people, at most"] == "2"


def test_an_archive_that_is_not_on_this_machine_is_told_of_by_its_digests(tmp_path):
    folder = archived(tmp_path / "a", {"a.mp4": film(25, followed(1)), "b.mp4": film(25)})
    page = page_of(folder)
    (folder / "b.mp4" / "digest.json").unlink()
    here = Files.of(folder)
    elsewhere = "".join(archive_report(Files("a", here.read, here.has)))
    assert rows_of(elsewhere) == rows_of(page)[:2]
    assert "b.mp4/digest.json is missing" in elsewhere and "data:image/jpeg" not in elsewhere


def test_the_page_of_any_number_of_films_is_small_and_says_what_is_left_out():
    archive = Archive("many")
    for number in range(3 * LISTED):
        kinds, moods = {"gender": {"man": 3, "woman": 4}}, {"happy": 5.0, "sad": 2.0}
        digest = Digest(1, 90_000, 3600.0, 5000, number, 3, 0, kinds, (20.0, 30.0, 40.0), 7, {}, "emotion", moods)
        archive.add(Film(f"2019/a film with a long name, as they are {number:06}.mp4", digest))
        archive.unreadable.append((f"{number}.mkv", "it is damaged"))
    page = "".join(archive_page(archive, "today", {}))
    rows = rows_of(page)
    assert len(page) < 3_000_000 and len(rows) == LISTED + 1
    assert rows[1][0] == f"2019/a film with a long name, as they are {2 * LISTED:06}.mp4"
    assert f"{2 * LISTED:,} others are in the figures above" in page
    assert f"{3 * LISTED:,} films · 15,000\u202fh of video · {3 * LISTED:,} not analysed" in page


@pytest.mark.parametrize("option", ["--csv", "--vtt", "--contact-sheet", "--sort=age", "--source=a.mp4", "other"])
def test_what_is_made_of_one_run_is_refused_for_an_archive(option, tmp_path, capsys):
    folder = archived(tmp_path / "a", {"a.mp4": film(9)})
    assert main([str(folder), option]) == 2
    assert "is an archive" in capsys.readouterr().err
    assert not (folder / "archive.html").exists()


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"films": [{"film": 3}]}', '{"films": [{"film": "../b"}]}', "[" * 99_999]
)
def test_an_archive_whose_list_is_damaged_is_refused(content, tmp_path, capsys):
    (tmp_path / "archive.json").write_text(content)
    assert main([str(tmp_path)]) == 2
    assert "archive.json" in capsys.readouterr().err


@pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
def test_films_are_sorted_found_and_shown_a_hundred_at_a_time_in_a_browser(tmp_path):
    films = {f"film {number}.mp4": film(2 + number % 120) for number in range(128)}
    films |= {"people.mp4": [frame(number, flat(96, 64), [followed(1), followed(2)]) for number in range(25)]}
    folder = archived(tmp_path / "a", films, written)
    page_of(folder)
    with chromium() as opened:
        tab = opened(800, 900)
        tab.open((folder / "archive.html").as_uri())
        first = "document.querySelector('.sortable tbody th').textContent"
        rows = "document.querySelectorAll('.sortable tbody tr').length"
        assert (tab.run(first), tab.run(rows)) == ("film 0.mp4", 100)
        tab.click(".more")
        assert tab.run(rows) == 129
        tab.click(".sortable thead th:nth-child(3) button")
        assert (tab.run(first), tab.run(rows)) == ("people.mp4", 100)
        tab.click(".sortable thead th:nth-child(2) button")
        assert tab.run(first) == "film 119.mp4"
        tab.click(".sortable thead th:nth-child(2) button")
        assert tab.run(first) == "film 0.mp4"
        tab.run("(document.querySelector('[name=find]').value = 'FILM 11')")
        tab.run("document.querySelector('.finder').dispatchEvent(new Event('input'))")
        assert tab.run("document.querySelector('.finder output').value") == "11 of 129 films"
        assert tab.run("document.documentElement.scrollWidth") <= 800
        assert AXE is None or violations(tab) == []

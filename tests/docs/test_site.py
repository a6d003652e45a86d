"""The documentation as a site: complete, without a dead link, and without anything from other sites."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import PROJECT

pytest.importorskip("zensical", reason="needs zensical: make install-dev")
make_site = pytest.importorskip("docs.make_site")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site; zensical itself refuses links to pages and anchors that are not there."""
    folder = tmp_path_factory.mktemp("built") / "site"
    assert make_site.build(folder) == ""
    return folder


def test_every_page_of_the_project_is_in_the_navigation(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    pages = {f"docs/{page.stem}.html" for page in (PROJECT / "docs").glob("*.md")}
    assert pages - set(re.findall(r'href="\./([^"]+)" class="md-nav__link', start)) == set()


def test_no_page_fetches_a_script_a_style_a_font_or_a_picture_from_another_site(site):
    fetched = r'<(?:script|img|iframe|source)\b[^>]*\b(?:src|srcset)="(?:https?:)?//[^"]*'
    styles = r'<link\b[^>]*\brel="?(?:stylesheet|preconnect|preload|icon)\b[^>]*\bhref="(?:https?:)?//[^"]*'
    inside = r'(?:@import|url\()\s*["\']?(?:https?:)?//[^)"\']*'
    found = [
        (file.name, what)
        for file in (*site.rglob("*.html"), *site.rglob("*.css"))
        for what in re.findall(f"{fetched}|{styles}|{inside}", file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_search_knows_the_words_of_a_page(site):
    assert "not found" in (site / "search.json").read_text(encoding="utf-8")


def test_a_dead_link_is_a_fault_and_the_old_site_stays(monkeypatch, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "old.html").touch()
    monkeypatch.setattr(make_site, "BESIDE", tuple(name for name in make_site.BESIDE if name != "CHANGELOG.md"))
    assert "CHANGELOG.md" in make_site.build(tmp_path / "site")
    assert [file.name for file in (tmp_path / "site").iterdir()] == ["old.html"]

"""Every link of the documentation leads somewhere, and every path that it names is there."""

import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, Piece, inline_code, links, tokens

TOP = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != ".")
PATH = re.compile(rf"(?:{'|'.join(map(re.escape, TOP))})/[\w./*-]*")


def headings(page: Path) -> set[str]:
    """Anchors of the page's headings."""
    blocks = tokens(page)
    titles = (after.content for token, after in pairwise(blocks) if token.type == "heading_open")
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("link", [link for page in DOCUMENTS for link in links(page)], ids=str)
def test_a_link_leads_to_a_file_of_the_project(link: Piece) -> None:
    address = urlsplit(link.text)
    assert not address.scheme, f"{link}: {link.text} leads out of the project"
    target = (link.page.parent / unquote(address.path)).resolve() if address.path else link.page
    assert target.exists(), f"{link}: {link.text}: no such file"
    assert target.is_relative_to(ROOT)
    if address.fragment:
        assert address.fragment in headings(target), f"{link}: {link.text}: no such heading"


def test_the_documentation_has_links() -> None:
    assert sum(len(links(page)) for page in DOCUMENTS) > 5


PATHS = [code for page in DOCUMENTS for code in inline_code(page) if PATH.fullmatch(code.text)]


@pytest.mark.parametrize("code", PATHS, ids=str)
def test_a_path_that_is_named_exists(code: Piece) -> None:
    assert any(ROOT.glob(code.text)), f"{code}: {code.text}: no such file"


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_names_a_place_outside_the_project(page: Path) -> None:
    """Such as the checkout of whoever wrote it."""
    assert not re.search(r"(?<![\w.~/])/(?:work|home|Users)/", page.read_text())

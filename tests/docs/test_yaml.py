"""Every YAML that the documentation and the examples show would be taken by a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from proctor_cli.documents import load
from proctor_crds.common import GROUP
from proctor_crds.kinds import KINDS
from tests.docs.documents import DOCUMENTS, ROOT, Piece, links, snippets

EXAMPLES = sorted((ROOT / "examples").glob("**/*.yaml"))
# Its snippets configure the adapter: tests/unit/harness/adapter/test_docs.py builds what they say.
ADAPTER = ROOT / "docs/adapter.md"
PAGES = [page for page in DOCUMENTS if page != ADAPTER]
SNIPPETS = [snippet for page in PAGES for snippet in snippets(page, "yaml")]
README = ROOT / "README.md"
SHOWN = [snippet for snippet in SNIPPETS if snippet.page == README]


def parsed(text: str) -> list[Any]:
    """The documents of a YAML text; comments and style are the example's own affair."""
    return list(yaml.safe_load_all(text))


def example_of(snippet: Piece) -> Path:
    """The file that the text before the snippet links to."""
    before = [link for link in links(snippet.page) if link.line < snippet.line]
    return snippet.page.parent / before[-1].text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_is_valid(path: Path) -> None:
    assert load([path])


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_a_snippet_is_valid(snippet: Piece, tmp_path: Path) -> None:
    file = tmp_path / "snippet.yaml"
    file.write_text(snippet.text)
    found = load([file])
    assert found.resources or found.others


@pytest.mark.parametrize("snippet", SHOWN, ids=str)
def test_the_readme_shows_an_example_as_it_is(snippet: Piece) -> None:
    example = example_of(snippet)
    assert example in EXAMPLES, f"{snippet}: link to the example before it"
    assert parsed(snippet.text) == parsed(example.read_text())


def test_the_readme_shows_each_kind() -> None:
    shown = {document["kind"] for snippet in SHOWN for document in parsed(snippet.text)}
    assert shown == set(KINDS)


def test_a_broken_snippet_would_be_found(tmp_path: Path) -> None:
    snippet = next(snippet for snippet in SHOWN if "backend" in snippet.text)
    file = tmp_path / "snippet.yaml"
    file.write_text(snippet.text.replace("triton:", "tritn:"))
    with pytest.raises(Exception, match=r"spec\.backend\.tritn.*did you mean triton"):
        load([file])
    assert GROUP in snippet.text

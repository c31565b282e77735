"""The project's Markdown, as its tests need it: snippets, inline code and links, with their place.

The parser is CommonMark's own, so a test sees what a reader's browser shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "charts", "bench", "examples", "changelog.d")
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/**/*.md"))]
)
PARSER = MarkdownIt().enable("table")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a document; `language` is that of a fenced snippet."""

    page: Path
    line: int
    text: str
    language: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def tokens(page: Path) -> list[Token]:
    """The page's blocks, in their order."""
    return PARSER.parse(page.read_text())


def line(token: Token) -> int:
    """The block's first line, from 1."""
    return token.map[0] + 1 if token.map else 0


def snippets(page: Path, *languages: str) -> list[Piece]:
    """The page's fenced snippets in one of these languages, or in any."""
    fences = (token for token in tokens(page) if token.type == "fence")
    found = [Piece(page, line(token), token.content, token.info.strip()) for token in fences]
    return [piece for piece in found if not languages or piece.language in languages]


def inline(page: Path) -> Iterator[tuple[int, Token]]:
    """What stands in the page's running text, with its line."""
    for token in tokens(page):
        for child in token.children or ():
            yield line(token), child


def inline_code(page: Path) -> list[Piece]:
    """What the page sets in backticks."""
    return [Piece(page, at, t.content) for at, t in inline(page) if t.type == "code_inline"]


def links(page: Path) -> list[Piece]:
    """Where the page's links lead."""
    hrefs = ((at, t.attrGet("href") or t.attrGet("src")) for at, t in inline(page))
    return [Piece(page, at, str(href)) for at, href in hrefs if href]

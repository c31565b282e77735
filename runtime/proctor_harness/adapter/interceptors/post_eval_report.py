"""``post_eval_report``: questions and answers to read, as ``report.html`` and ``report.json``.

They come from the answer log, where ``caching`` keeps questions if `save_requests` says so.
"""

import asyncio
import html
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from proctor_harness.adapter.answers import Stored, pairs
from proctor_harness.adapter.configuration import Config as Base
from proctor_harness.adapter.content import Json, JsonObject, loads
from proctor_harness.adapter.site import Site

CHARACTERS = 200_000
"""Of a longer question or answer the report shows so many."""


class Config(Base):
    """Fields of ``post_eval_report``."""

    report_types: list[Literal["html", "json"]] = ["html"]
    """Files to write."""
    html_report_size: int | None = None
    """Most pairs; null for all."""


def build(config: Config, site: Site) -> None:
    """Write the report when the evaluation ends."""

    async def finish() -> None:
        await site.disk.flush()
        await asyncio.to_thread(report, config, site)

    site.finishers.append(finish)


def report(config: Config, site: Site) -> None:
    """Write the files; no pairs, no report."""
    logs = (log for log in site.answer_logs if log.exists())
    found = (entry(pair, site.url) for log in logs for pair in pairs(log))
    entries = list(islice(found, config.html_report_size))
    if not entries:
        return
    if "json" in config.report_types:
        content = json.dumps(entries, indent=2, ensure_ascii=False)
        write(site.artifacts / "report.json", content)
    if "html" in config.report_types:
        write(site.artifacts / "report.html", page(entries))


def entry(pair: Stored, url: str) -> JsonObject:
    """A pair as the report has it."""
    asked = readable(pair.request or "")
    return {
        "request_data": asked,
        "display_request": asked,
        "response": readable(pair.body or ""),
        "endpoint": url,
        "cache_key": pair.key,
    }


def readable(text: str) -> Json:
    """The JSON in a text, if it is that."""
    try:
        return loads(text.encode())
    except ValueError:
        return text


def write(path: Path, content: str) -> None:
    """Replace a file as a whole."""
    new = path.with_name(path.name + ".new")
    new.write_text(content, encoding="utf-8", errors="surrogatepass")
    new.replace(path)


def page(entries: list[JsonObject]) -> str:
    """The report to look at; it needs nothing beside it and runs no script."""
    sections = "\n".join(section for item in entries for section in lines(item))
    return PAGE.format(count=len(entries), sections=sections)


def lines(item: JsonObject) -> Iterator[str]:
    """One pair."""
    yield f"<article><h2>{html.escape(item['cache_key'])}</h2>"
    yield f"<h3>Request</h3><pre>{shown(item['display_request'])}</pre>"
    yield f"<h3>Response</h3><pre>{shown(item['response'])}</pre>"
    yield f"<details><summary>As a command</summary><pre>{command(item)}</pre></details></article>"


def shown(value: Json) -> str:
    """A value as text of the page."""
    said = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return html.escape(said[:CHARACTERS])


def command(item: JsonObject) -> str:
    """The question as a command line; whoever runs it brings the key."""
    body = html.escape(json.dumps(item["request_data"]).replace("'", "'\\''"))
    return (
        f"curl {html.escape(item['endpoint'])} -H 'Content-Type: application/json'"
        f" -H \"Authorization: Bearer $API_KEY\" -d '{body}'"
    )


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Requests and responses</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }}
article {{ border: 1px solid #ccc; border-radius: .3rem; padding: 0 1rem 1rem; margin: 1rem 0; }}
h2 {{ font: 1rem monospace; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #f5f5f5; padding: .5rem; }}
</style>
</head>
<body>
<h1>Requests and responses</h1>
<p>{count} pairs, as the target saw them and as it answered.</p>
{sections}
</body>
</html>
"""

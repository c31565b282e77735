import json
import re
from pathlib import Path
from typing import Any

from proctor_harness.adapter.interceptors import post_eval_report
from proctor_harness.adapter.site import Site
from tests.unit.harness.adapter.asking import Target, ask, make, question, reply, site


async def evaluated(where: Site, contents: list[str], **config: Any) -> None:
    cache = make("caching", where, save_requests=True)
    post_eval_report.build(post_eval_report.Config.model_validate(config), where)
    for content in contents:
        asked = {"messages": [{"role": "user", "content": content}]}
        await ask(cache, question(asked), Target([reply(content.upper())]))
    await where.finish()


async def test_questions_and_answers_can_be_read(tmp_path: Path) -> None:
    await evaluated(site(tmp_path), ["a", "b"], report_types=["html", "json"])
    first, second = json.loads((tmp_path / "report.json").read_text())
    assert first["request_data"]["messages"][0]["content"] == "a"
    assert first["response"] == reply("A")
    assert first["endpoint"] == "http://model:8080"
    assert re.fullmatch("[0-9a-f]{32}", second["cache_key"])
    page = (tmp_path / "report.html").read_text()
    assert "2 pairs" in page
    assert "&quot;content&quot;: &quot;B&quot;" in page


async def test_a_report_of_hostile_text_runs_nothing(tmp_path: Path) -> None:
    await evaluated(site(tmp_path), ["<script>alert('x')</script>{0}"])
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_a_report_is_as_long_as_it_may_be(tmp_path: Path) -> None:
    await evaluated(site(tmp_path), list("abcd"), report_types=["json"], html_report_size=2)
    assert len(json.loads((tmp_path / "report.json").read_text())) == 2
    assert not (tmp_path / "report.html").exists()


async def test_without_pairs_there_is_no_report(tmp_path: Path) -> None:
    await evaluated(site(tmp_path), [])
    assert not (tmp_path / "report.html").exists()


async def test_one_report_that_fails_does_not_take_the_others_along(tmp_path: Path) -> None:
    where = site(tmp_path)

    async def fail() -> None:
        raise OSError("disk")

    where.finishers.append(fail)
    await evaluated(where, ["a"])
    assert (tmp_path / "report.html").exists()

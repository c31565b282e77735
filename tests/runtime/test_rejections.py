"""Wrong input: exit code 64 and a reason, before anything slow begins."""

import json
import pickle
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from proctor_crds.wire import EXIT_REJECTED, Failure
from proctor_runtime.__main__ import main
from tests.runtime.conftest import TINY, quiet


def serve_arguments(checkpoint: Path, tokenizer: Path, *more: str) -> list[str]:
    return [
        "serve",
        f"--checkpoint={checkpoint}",
        f"--tokenizer={tokenizer}",
        "--served-model-name=tiny",
        "--transport=in-process",
        *more,
    ]


@pytest.fixture
def last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    monkeypatch.setenv("TERMINATION_MESSAGE_PATH", str(path))
    return path


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def rejection(last_words: Path, arguments: list[str]) -> Failure:
    with quiet():
        assert main(arguments) == EXIT_REJECTED
    return Failure.model_validate_json(last_words.read_text())


class Intruder:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch intruded",)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def change_common(folder: Path, **changes: object) -> None:
    args = Namespace(**{**vars(TINY), **changes})
    torch.save({"args": args}, folder / "common.pt")


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated common": (lambda f: truncate(f / "common.pt"), "common.pt cannot be read"),
    "truncated index": (lambda f: truncate(f / ".metadata"), ".metadata cannot be read"),
    "no index": (lambda f: (f / ".metadata").unlink(), "it has no .metadata"),
    "no args": (lambda f: torch.save({}, f / "common.pt"), "no training arguments"),
    "other format": (
        lambda f: (f / "metadata.json").write_text('{"sharded_backend": "zarr"}'),
        "format 'zarr'",
    ),
    "code in the index": (
        lambda f: (f / ".metadata").write_bytes(pickle.dumps(Intruder())),
        "posix.system, which no checkpoint needs",
    ),
    "code in common": (
        lambda f: torch.save({"args": Intruder()}, f / "common.pt"),
        "common.pt cannot be read",
    ),
}


@pytest.mark.parametrize(("break_it", "message"), BREAKAGES.values(), ids=BREAKAGES.keys())
def test_corrupt_checkpoints(
    last_words: Path,
    copy: Path,
    tokenizer_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[Path], object],
    message: str,
) -> None:
    monkeypatch.chdir(copy)
    break_it(copy / "iter_0000001")
    failure = rejection(last_words, serve_arguments(copy, tokenizer_folder))
    assert failure.reason == "CheckpointCorrupt"
    assert message in failure.message
    assert not (copy / "intruded").exists()


@pytest.mark.parametrize("lost", ["*.distcp", "the model's"], ids=["truncated", "another model's"])
def test_tensors_that_do_not_fit(
    last_words: Path, copy: Path, tokenizer_folder: Path, lost: str
) -> None:
    folder = copy / "iter_0000001"
    if lost == "*.distcp":
        for shard in folder.glob(lost):
            truncate(shard)
    else:
        change_common(folder, hidden_size=128)
    failure = rejection(last_words, serve_arguments(copy, tokenizer_folder))
    assert failure.reason == "CheckpointCorrupt"
    assert "cannot be loaded" in failure.message


def test_a_missing_checkpoint(last_words: Path, tmp_path: Path, tokenizer_folder: Path) -> None:
    arguments = serve_arguments(tmp_path / "nowhere", tokenizer_folder)
    failure = rejection(last_words, arguments)
    assert failure.reason == "CheckpointNotFound"
    assert "nowhere" in failure.message


def test_a_pointer_to_an_iteration_that_is_gone(
    last_words: Path, copy: Path, tokenizer_folder: Path
) -> None:
    (copy / "latest_checkpointed_iteration.txt").write_text("7")
    failure = rejection(last_words, serve_arguments(copy, tokenizer_folder))
    assert failure.reason == "CheckpointNotFound"
    assert "iter_0000007" in failure.message


def test_an_unsupported_architecture(last_words: Path, copy: Path, tokenizer_folder: Path) -> None:
    change_common(copy / "iter_0000001", multi_latent_attention=True)
    failure = rejection(last_words, serve_arguments(copy, tokenizer_folder))
    assert failure.reason == "CheckpointUnsupported"
    assert "multi_latent_attention" in failure.message


@pytest.mark.parametrize("content", [None, "{}"], ids=["no folder", "no tokenizer in it"])
def test_a_missing_tokenizer(
    last_words: Path, checkpoint: Path, tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "tokenizer"
    if content:
        folder.mkdir()
        (folder / "tokenizer_config.json").write_text(content)
    failure = rejection(last_words, serve_arguments(checkpoint, folder))
    assert failure.reason == "TokenizerNotFound"
    assert str(folder) in failure.message


def test_a_missing_chat_template(
    checkpoint: Path, tokenizer_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.jinja"
    with pytest.raises(SystemExit):
        main(serve_arguments(checkpoint, tokenizer_folder, f"--chat-template={missing}"))
    assert f"{missing} cannot be read" in capsys.readouterr().err


def test_a_cache_for_less_than_one_sequence(
    checkpoint: Path, tokenizer_folder: Path, last_words: Path
) -> None:
    given = serve_arguments(checkpoint, tokenizer_folder, "--kv-cache-gib=0.00001")
    failure = rejection(last_words, given)
    assert failure.reason == "KvCacheTooSmall"
    assert "and sequences may have 128" in failure.message


def test_a_chat_template_that_does_not_compile(
    checkpoint: Path, tokenizer_folder: Path, last_words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_TEMPLATE", "{{ messages }}\n{% for m in messages %}")
    failure = rejection(last_words, serve_arguments(checkpoint, tokenizer_folder))
    assert failure.reason == "ChatTemplateInvalid"
    assert "does not compile: line 2" in failure.message


def test_an_impossible_split_in_a_process_of_its_own(
    last_words: Path, checkpoint: Path, tokenizer_folder: Path
) -> None:
    arguments = serve_arguments(checkpoint, tokenizer_folder, "--tensor-parallel=3")
    process = subprocess.run(
        [sys.executable, "-m", "proctor_runtime", *arguments], capture_output=True, check=False
    )
    assert process.returncode == EXIT_REJECTED
    failure = json.loads(last_words.read_text())
    assert failure["reason"] == "ParallelismInvalid"
    assert "attention heads (4)" in failure["message"]
    assert "size 3" in failure["message"]
    assert failure["message"].endswith("1, 2")

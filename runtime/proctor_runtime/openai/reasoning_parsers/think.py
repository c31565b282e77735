"""``<think>...</think>`` before the answer, as DeepSeek-R1, Qwen 3 and Nemotron write it."""

from proctor_runtime.openai.text import overlap

OPEN = "<think>"
CLOSE = "</think>"


def begins_inside(prompt: str) -> bool:
    """Tell whether the prompt's end has opened the reasoning already."""
    return prompt.rstrip().endswith(OPEN)


def split(text: str, *, final: bool, inside: bool) -> tuple[str, str]:
    """Return the reasoning and the rest of what was written so far."""
    begun = text.lstrip()
    if not final and OPEN.startswith(begun):
        return "", ""
    # Models open it once more at times, though the prompt has.
    if inside or begun.startswith(OPEN):
        return split_inside(begun.removeprefix(OPEN), final=final)
    return "", text


def split_inside(text: str, *, final: bool) -> tuple[str, str]:
    """Split a text that begins with reasoning; all of it is, if that never ends."""
    end = text.find(CLOSE)
    if end >= 0:
        return text[:end].strip(), text[end + len(CLOSE) :].lstrip()
    return text[: len(text) if final else len(text) - overlap(text, CLOSE)].strip(), ""

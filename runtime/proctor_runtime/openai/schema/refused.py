"""Fields of the API that are known and not served: refused where they ask for something.

To leave them out silently would change the answer without a word. Any other unknown field is
ignored, as OpenAI's clients expect of compatible servers.
"""

from collections.abc import Mapping
from typing import Any

HARMLESS: dict[str, tuple[Any, ...]] = {
    "suffix": ("",),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"], []),
    "audio": (),
    "web_search_options": (),
    "moderation": (),
    "structured_outputs": (),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
    "use_beam_search": (False,),
    "prompt_logprobs": (0, False),
    "truncate_prompt_tokens": (),
    "allowed_token_ids": ([],),
    "bad_words": ([],),
    "prompt_embeds": (),
    "chat_template": (),
    "documents": ([],),
    "echo": (False,),
    "return_token_ids": (False,),
    "return_tokens_as_token_ids": (False,),
}
"""Each with the values that ask for nothing, besides null."""

INSTEAD = {
    "suffix": "the models served here only continue a text",
    "functions": "use tools",
    "function_call": "use tool_choice",
    "response_format": "only {'type': 'text'} is: no grammar constrains the output",
    "chat_template": "the deployment's own template is used; chat_template_kwargs reach it",
    "truncate_prompt_tokens": "send a shorter prompt",
    "prompt_logprobs": "use echo with logprobs",
    "documents": "write them into the messages",
    "echo": "/v1/completions has it",
}


class UnsupportedError(ValueError):
    """A field asks for what is not served."""


def refuse(fields: Mapping[str, Any]) -> None:
    """Raise `UnsupportedError` for the first of `fields` that asks for what is not served."""
    for field, harmless in HARMLESS.items():
        value = fields.get(field)
        if value is not None and value not in harmless:
            remedy = f": {INSTEAD[field]}" if field in INSTEAD else ""
            raise UnsupportedError(f"{field}={value!r:.80} is not supported{remedy}")

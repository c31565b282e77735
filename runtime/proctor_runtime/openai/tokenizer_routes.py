"""vLLM's tokenizer routes, which stock lm-eval's remote tokenizer asks: no files needed there."""

from typing import Any

from fastapi import APIRouter

from proctor_runtime.openai.answer import ServedModel
from proctor_runtime.openai.aside import aside
from proctor_runtime.openai.chat import chat_prompt
from proctor_runtime.openai.requests import check_tokens
from proctor_runtime.openai.schema.tokenization import (
    DetokenizeRequest,
    TokenizeChatRequest,
    TokenizeRequest,
)


def tokenizer_routes(model: ServedModel) -> APIRouter:
    """Return the three routes."""
    router = APIRouter()
    tokenizer = model.tokenizer

    @router.get("/tokenizer_info")
    async def tokenizer_info() -> dict[str, Any]:
        return {
            **tokenizer.special,
            "eos_token_ids": list(tokenizer.eos_ids),
            "model_max_length": model.info.max_sequence_length,
            "chat_template": tokenizer.chat_template,
        }

    @router.post("/tokenize")
    async def tokenize(request: TokenizeRequest) -> dict[str, Any]:
        text = text_to_tokenize(request, model)
        special = request.add_special_tokens
        tokens = await aside(len(text), tokenizer.encode, text, add_special_tokens=special)
        pieces = [tokenizer.piece(token) for token in tokens] if request.return_token_strs else None
        return {
            "count": len(tokens),
            "max_model_len": model.info.max_sequence_length,
            "tokens": tokens,
            "token_strs": pieces,
        }

    @router.post("/detokenize")
    async def detokenize(request: DetokenizeRequest) -> dict[str, str]:
        check_tokens(request.tokens, model.info)
        tokens = request.tokens
        text = await aside(len(tokens), tokenizer.decode, tokens, skip_special_tokens=False)
        return {"prompt": text}

    return router


def text_to_tokenize(request: TokenizeRequest, model: ServedModel) -> str:
    """Return the text whose tokens are asked for."""
    if isinstance(request, TokenizeChatRequest):
        return chat_prompt(request, model, with_tools=bool(request.tools))
    return request.prompt

"""``POST /tokenize`` and ``POST /detokenize``, as vLLM has them."""

from proctor_runtime.openai.schema.chat import Conversation
from proctor_runtime.openai.schema.generation import LooseModel, TokenIds


class TokenizeTextRequest(LooseModel):
    """A text, as stock lm-eval's remote tokenizer sends it."""

    prompt: str
    add_special_tokens: bool = True
    return_token_strs: bool = False


class TokenizeChatRequest(Conversation):
    """A conversation: its prompt's tokens, as the model would get them."""

    return_token_strs: bool = False


TokenizeRequest = TokenizeTextRequest | TokenizeChatRequest


class DetokenizeRequest(LooseModel):
    """Token ids."""

    tokens: TokenIds

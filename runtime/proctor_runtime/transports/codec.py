"""Engine requests and completions as JSON, for what travels between processes."""

from pydantic import BaseModel, TypeAdapter

from proctor_runtime.engine.protocol import Completion, GenerateRequest


class Answer(BaseModel):
    """A completion, or why there is none: one request's failure is not its batch's."""

    completion: Completion | None = None
    error: str = ""


REQUEST = TypeAdapter(GenerateRequest)


def encode_request(request: GenerateRequest) -> bytes:
    """Return the request as JSON."""
    return REQUEST.dump_json(request)


def decode_request(data: bytes) -> GenerateRequest:
    """Read a request; `ValueError` if it is none."""
    return REQUEST.validate_json(data)


def encode_answer(answer: Answer) -> bytes:
    """Return the answer as JSON; floats keep every bit."""
    return answer.model_dump_json(exclude_defaults=True).encode()


def decode_answer(data: bytes) -> Answer:
    """Read an answer."""
    return Answer.model_validate_json(data)

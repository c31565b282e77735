import pytest

from proctor_harness.adapter.errors import InterceptorError, RefusedError
from proctor_harness.adapter.failing import fail_closed
from proctor_harness.adapter.messages import BrokenAnswerError
from tests.unit.harness.adapter.asking import Target, body, question


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (InterceptorError("cow", KeyError("x")), 500, "adapter_error", "interceptor_failed"),
        (RefusedError(429, "spent", "no more"), 429, "invalid_request_error", "spent"),
        (RefusedError(500, "over", "no more"), 500, "adapter_error", "over"),
        (BrokenAnswerError("cut"), 502, "upstream_error", "Bad Gateway"),
    ],
)
async def test_a_request_that_is_ended_gets_an_error(
    error: Exception, status: int, kind: str, code: str
) -> None:
    response = await fail_closed(question(), Target([error]))
    assert response.status == status
    assert (body(response)["error"]["type"], body(response)["error"]["code"]) == (kind, code)

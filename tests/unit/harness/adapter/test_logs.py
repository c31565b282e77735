import pytest

from proctor_harness.adapter.logs import is_credential


@pytest.mark.parametrize(
    "name",
    [
        b"authorization",
        b"proxy-authorization",
        b"api-key",
        b"apikey",
        b"Ocp-Apim-Subscription-Key",
        b"x-auth",
        b"x-password",
        b"x-amz-credential",
        b"x-signature",
        b"set-cookie",
        b"x-amz-security-token",
    ],
)
def test_names_of_credentials(name: bytes) -> None:
    assert is_credential(name)


@pytest.mark.parametrize("name", [b"accept", b"content-type", b"keep-alive", b"x-request-id"])
def test_names_of_others(name: bytes) -> None:
    assert not is_credential(name)

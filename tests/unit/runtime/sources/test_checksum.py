from pathlib import Path

import pytest

from proctor_runtime.sources.checksum import Checksum


@pytest.mark.parametrize(
    ("algorithm", "digits"),
    [
        ("sha256", "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e"),
        ("md5", "b10a8db164e0754105b7a99be72e3fe5"),
        ("git", "5e1c309dae7f45e0f39b1bf3ac3cd9db12e7d689"),
        ("crc32", "4a17b156"),
    ],
)
def test_checksums_are_those_of_the_usual_tools(
    tmp_path: Path, algorithm: str, digits: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"Hello World")
    assert Checksum(algorithm, digits).of(path) == digits

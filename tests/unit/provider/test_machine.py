from pathlib import Path

import pytest

from tests.provider import leftovers
from tests.provider.binaries import MODULE_OF, MODULES, Module
from tests.provider.packages import missing
from tests.provider.paths import cache


def test_only_packages_whose_program_is_missing_are_wanted(tmp_path: Path) -> None:
    program = tmp_path / "present"
    program.touch(mode=0o755)
    wanted = {"present": "one", "absent": "two", str(program): "three", "/no/such": "four"}
    assert missing(wanted, str(tmp_path)) == ["four", "two"]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_module_pins_its_versions(module: Module) -> None:
    assert (module.source / "go.mod").exists()


def test_another_recipe_is_another_build() -> None:
    module = MODULE_OF["kubectl"]
    assert Module(module.name, module.programs, link="-X a=b").version != module.version
    assert MODULE_OF["kubelet"].directory == module.directory


def test_the_cache_is_where_the_environment_says() -> None:
    assert cache({"PROCTOR_CACHE": "/fast/disk"}) == Path("/fast/disk")
    assert cache({}) == Path.home() / ".cache" / "proctor"


def test_leftovers_are_known_by_the_state_that_they_were_started_for(tmp_path: Path) -> None:
    before_start = " ".join("0" for _ in range(18))
    for pid, state in ((7, "/cache/node"), (8, "/other/node")):
        entry = tmp_path / str(pid)
        entry.mkdir()
        (entry / "environ").write_text(f"PATH=/bin\0{leftovers.MARK}={state}\0")
        (entry / "stat").write_text(f"{pid} (containerd-shim) S {before_start} 42 0\n")
    assert leftovers.marked(Path("/cache/node"), tmp_path) == {7}

"""Interceptors of your own: a Python file with a `Config` and a `build`, as the built-in ones.

Its name in the chain is `NAME`, or else the file's. Files that begin with `_` are left alone.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType

from proctor_harness.adapter.configuration import (
    ConfigurationError,
    Discovery,
    InterceptorConfig,
)
from proctor_harness.adapter.interceptors import InterceptorModule


def discovered(
    discovery: Discovery, known: Mapping[str, InterceptorModule]
) -> dict[str, InterceptorModule]:
    """The modules that `discovery` names; raises ConfigurationError."""
    found: dict[str, InterceptorModule] = {}
    for default, module in modules(discovery):
        name = getattr(module, "NAME", default)
        if name in known or name in found:
            raise ConfigurationError([f"discovery: {module.__file__}: {name!r} is taken: set NAME"])
        found[name] = checked(module)
    return found


def modules(discovery: Discovery) -> Iterator[tuple[str, ModuleType]]:
    """Import them; each with its own name."""
    for index, name in enumerate(discovery.modules):
        place = f"discovery.modules.{index}={name!r}"
        yield name.rpartition(".")[2], attempted(partial(importlib.import_module, name), place)
    for index, directory in enumerate(discovery.dirs):
        place = f"discovery.dirs.{index}={directory!r}"
        if not Path(directory).is_dir():
            raise ConfigurationError([f"{place}: is no directory: mount it"])
        for path in sorted(Path(directory).glob("[!_]*.py")):
            yield path.stem, attempted(partial(imported, path), f"{place}: {path.name}")


def attempted(load: Callable[[], ModuleType], place: str) -> ModuleType:
    """A module, whatever its import may raise."""
    try:
        return load()
    except Exception as error:
        raise ConfigurationError([f"{place}: cannot be imported: {error!r}"]) from error


def imported(path: Path) -> ModuleType:
    """Import one file, under a name that hides no other module."""
    name = f"proctor_interceptor_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def checked(module: ModuleType) -> InterceptorModule:
    """The module as an interceptor's."""
    config = getattr(module, "Config", None)
    if not (isinstance(config, type) and issubclass(config, InterceptorConfig)):
        problem = "needs a class Config(InterceptorConfig)"
    elif not callable(getattr(module, "build", None)):
        problem = "needs a function build(config, site)"
    else:
        return module
    raise ConfigurationError([f"discovery: {module.__file__} {problem}"])

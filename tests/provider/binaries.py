"""Kubernetes, etcd, helm, CoreDNS and Kueue, built from the Go module proxy and cached.

Each folder of gomod/ is a Go module that pins its versions (go.mod) and their content (go.sum).
The cache is keyed by both and by the recipe below, so a change of version builds anew.
"""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.provider.commands import run, stream
from tests.provider.errors import UnavailableError
from tests.provider.locking import locked
from tests.provider.paths import HERE, cache

_KUBERNETES = "k8s.io/kubernetes/cmd/"
# component-base reads its version from the linker; unset, the apiserver calls itself v0.0.0.
_VERSION = "-X k8s.io/component-base/version."


@dataclass(frozen=True)
class Module:
    """A Go module of gomod/ and the programs that it makes."""

    name: str
    programs: dict[str, str]
    """Program name: Go package."""
    link: str = ""
    manifests: tuple[str, str] = ("", "")
    """A Go module and its folder of Kubernetes manifests, kept beside the programs."""

    @property
    def source(self) -> Path:
        """The folder with go.mod."""
        return HERE / "gomod" / self.name

    @property
    def version(self) -> str:
        """A digest of everything that its programs are made of."""
        files = sorted(self.source.iterdir())
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
        digest.update(repr((self.programs, self.link)).encode())
        digest.update(repr(self.manifests).encode() if any(self.manifests) else b"")
        return digest.hexdigest()[:12]

    @property
    def directory(self) -> Path:
        """Where its programs lie once built."""
        return cache() / "bin" / f"{self.name}-{self.version}"


MODULES = [
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Module(
        "kubernetes",
        {
            name: _KUBERNETES + name
            for name in (
                "kube-apiserver",
                "kubectl",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
            )
        },
        link=f"{_VERSION}gitVersion=v1.35.4 {_VERSION}gitMajor=1 {_VERSION}gitMinor=35",
    ),
    Module("pause", {"pause": "proctor.test/pause"}),
    Module("coredns", {"coredns": "github.com/coredns/coredns"}),
    Module("helm", {"helm": "helm.sh/helm/v4/cmd/helm"}),
    Module(
        "kueue",
        {"kueue": "sigs.k8s.io/kueue/cmd/kueue"},
        manifests=("sigs.k8s.io/kueue", "config"),
    ),
]
MODULE_OF = {program: module for module in MODULES for program in module.programs}


def binary(name: str) -> Path:
    """The program `name`, built where it is not yet."""
    module = MODULE_OF[name]
    with locked(cache() / "bin" / f".{module.name}.lock"):
        if not (module.directory / name).exists():
            _build(module)
    return module.directory / name


def manifests(name: str) -> Path:
    """The folder of manifests that came with the program `name`."""
    return binary(name).parent / MODULE_OF[name].manifests[1]


def build_all() -> None:
    """Everything, for a machine that prepares itself."""
    for program in MODULE_OF:
        binary(program)


def _build(module: Module) -> None:
    if not (go := shutil.which("go")):
        raise UnavailableError(
            f"no Go to build {module.name} with: install Go 1.26 and put it on PATH"
        )
    print(f"building {module.name} from Go modules: once, minutes", file=sys.stderr, flush=True)
    work = module.directory.with_suffix(".partial")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(module.source, work)
    environment = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    variables = [f"{key}={value}" for key, value in environment.items()]
    # One command for all: the linker uses one core only, and they link side by side.
    target = "./" if len(module.programs) > 1 else next(iter(module.programs))
    command = [go, "build", "-buildvcs=false", "-ldflags", f"-s -w {module.link}", "-o", target]
    stream("env", *variables, *command, *module.programs.values(), cwd=work)
    _keep_manifests(module, go, work)
    module.directory.parent.mkdir(parents=True, exist_ok=True)
    work.replace(module.directory)  # whole or not at all


def _keep_manifests(module: Module, go: str, work: Path) -> None:
    of, folder = module.manifests
    if of:
        source = run(go, "list", "-m", "-f", "{{.Dir}}", of, cwd=work).strip()
        shutil.copytree(Path(source) / folder, work / folder)
        # Go's module cache is read-only, and so is what is copied from it.
        run("chmod", "-R", "u+w", folder, cwd=work)

"""The direction of the arrows: who may import whom below ``harness/``, and how large a module may grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PACKAGE = _ROOT / "harness"

# One row a layer, outermost first: a part imports only parts of the rows below its own.
_LAYERS = (
    {"__main__"},
    {"cli", "pytest_plugin", "pytest_virtual_iphone"},
    {"cluster_worker"},
    {"pipeline"},
    {
        "models",
        "transforms",
        "variants",
        "workloads",
        "shards",
        "emoji",
        "cluster",
        "targets",
        "virtual_iphone",
        "store",
        "render",
        "suite",
    },
    {"wire"},
    {"core"},
)
# A recipe is a source model put through transforms, so building has to know both; the reference runs a source model;
# and a source model that is a graph with a checkpoint is frozen by a transform.
_ALLOWED_SIBLINGS = {
    ("variants", "models"),
    ("variants", "transforms"),
    ("workloads", "models"),
    ("models", "transforms"),
    # What runs a model over many inputs does so shard by shard, in processes that hold the model.
    ("workloads", "shards"),
    ("variants", "shards"),
    ("cluster", "shards"),
    ("shards", "models"),
    # A phone of a cluster is a target.
    ("targets", "cluster"),
    # Both are ways in: where runs and the cache are kept is decided in one place.
    ("pytest_plugin", "cli"),
}
# Explain, name or locate; they import nothing of the harness but each other, so anyone may use them.
_FOUNDATION = {"", "errors", "python_worker"}
# Stricter than its layer.
_ONLY_MAY_IMPORT = {"core": {"core"}, "render": {"render", "core"}}

_DEVICE_LIBRARIES = {"pymobiledevice3"}
_MODEL_LIBRARIES = {"tensorflow", "keras", "litert_quantizer", "ai_edge_litert"}
_MODEL_LIBRARY_PARTS = {"models", "transforms", "variants", "workloads", "emoji"}
# What `core` must not do: files, clock, environment, processes, logging.
_IMPURE = {
    "os",
    "io",
    "pathlib",
    "shutil",
    "tempfile",
    "time",
    "logging",
    "subprocess",
    "socket",
    "sys",
}

# What Windows lacks. Phones are driven from there too; the runner and the virtual iPhone are not.
_POSIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}
_POSIX_NAMES = {
    *(f"os.{name}" for name in ("fork", "getuid", "killpg", "mkfifo", "setsid", "statvfs", "uname")),
    *(f"signal.{name}" for name in ("SIGHUP", "SIGKILL", "SIGPIPE", "SIGSTOP", "SIGCONT")),
}
_POSIX_PARTS = ("harness/virtual_iphone/", "harness/targets/local.py")

_LARGEST_MODULE_LINES = 400
_DRAWER_NAMES = {"utils", "util", "common", "helpers", "misc"}


@dataclass(frozen=True)
class _Import:
    module: str
    line: int
    at_module_level: bool


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _imports(tree: ast.AST, package: str, *, at_module_level: bool = True) -> Iterator[_Import]:
    """Every import below ``tree``; ``package`` is the dotted package that relative imports count from."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _Import(alias.name, node.lineno, at_module_level)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            # `from harness import store` names a part in its list, not in its module.
            for alias in node.names:
                yield _Import(f"{base}.{alias.name}", node.lineno, at_module_level)
        elif _is_type_checking(node):
            yield from _imports(node, package, at_module_level=False)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(node, package, at_module_level=at_module_level and not inside)


def _part(module: str) -> str:
    """``harness.core.jobs.Job`` → ``core``; the package itself → an empty string."""
    names = module.split(".")[1:]
    if names and names[0].startswith("__") and names[0] != "__main__":
        return ""
    return names[0] if names else ""


def _layer(part: str) -> int | None:
    return next((index for index, parts in enumerate(_LAYERS) if part in parts), None)


def _refusal(importer: str, imported: str) -> str | None:
    """Why part ``importer`` may not import part ``imported``; ``None`` where it may."""
    if imported in _FOUNDATION or importer == imported:
        return None
    if importer in _FOUNDATION:
        return "what everybody imports imports nobody"
    if importer in _ONLY_MAY_IMPORT and imported not in _ONLY_MAY_IMPORT[importer]:
        return f"{importer} may import only {', '.join(sorted(_ONLY_MAY_IMPORT[importer]))} and errors"
    above, below = _layer(importer), _layer(imported)
    if above is None or below is None:
        return "a part without a place in the layers: give it one in this test and in docs/architecture.md"
    if above == below:
        return None if (importer, imported) in _ALLOWED_SIBLINGS else "siblings do not import each other"
    return None if above < below else "the arrow points the other way"


def _is_worker(path: str) -> bool:
    return path.rsplit("/", 1)[-1].removesuffix(".py").split("_")[-1] == "worker"


def _is_phone_module(path: str) -> bool:
    return path.startswith("harness/targets/iphone/device/")


def _library_refusal(path: str, imported: _Import) -> str | None:
    library = imported.module.split(".")[0]
    part = path.split("/")[1].removesuffix(".py")
    if library in _DEVICE_LIBRARIES and not _is_phone_module(path):
        return "only harness/targets/iphone/device may talk to pymobiledevice3"
    if library == "fsspec" and path != "harness/store/remote/place.py":
        return "only harness/store/remote/place.py may speak to other file systems"
    if library in ("scipy", "fsspec") and imported.at_module_level:
        return "slow to import: import it where it is used"
    if library in _MODEL_LIBRARIES:
        if part not in _MODEL_LIBRARY_PARTS:
            return f"only {', '.join(sorted(_MODEL_LIBRARY_PARTS))} may use it"
        if imported.at_module_level and not _is_worker(path):
            return "at module level only in a worker module (*_worker.py): import it where it is used"
    if part == "core" and library in _IMPURE:
        return "core does no I/O and reads no clock or environment"
    return None


def _posix_refusals(path: str, tree: ast.Module) -> Iterator[str]:
    """What would fail on Windows, unless a test of ``sys.platform`` keeps it from being reached there."""
    if path.startswith(_POSIX_PARTS):
        return
    guarded = {
        inside
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "sys.platform" in ast.unparse(node.test)
        for inside in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in guarded:
            continue
        if isinstance(node, ast.Import) and (found := _POSIX_MODULES & {alias.name for alias in node.names}):
            yield f"{path}:{node.lineno} imports {', '.join(found)}, which Windows lacks"
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in _POSIX_NAMES:
            yield f"{path}:{node.lineno} takes {name}, which Windows lacks"


def violations(path: str, source: str) -> list[str]:
    """What the module at ``path`` (``harness/…``, with forward slashes) breaks, one sentence each."""
    names = path.removesuffix(".py").split("/")
    package = ".".join(names[:-1])
    part = "" if names[1] == "__init__" else names[1]
    tree = ast.parse(source)
    found = list(_posix_refusals(path, tree))
    for imported in _imports(tree, package):
        if imported.module.split(".")[0] == "harness":
            reason = _refusal(part, _part(imported.module))
        else:
            reason = _library_refusal(path, imported)
        if reason:
            found.append(f"{path}:{imported.line} imports {imported.module}: {reason}")
    lines = len(source.splitlines())
    if lines > _LARGEST_MODULE_LINES:
        found.append(f"{path} has {lines} lines, more than {_LARGEST_MODULE_LINES}: split it")
    if _DRAWER_NAMES & set(names):
        found.append(f"{path}: a name that says nothing of what is inside")
    return found


def _modules() -> list[str]:
    return sorted(path.relative_to(_ROOT).as_posix() for path in _PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", _modules())
def test_module_keeps_the_architecture(path: str) -> None:
    assert violations(path, (_ROOT / path).read_text("utf-8")) == []


def test_the_scan_sees_the_package() -> None:
    assert {"harness/core/jobs.py", "harness/errors.py"} <= set(_modules())


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("harness/core/x.py", "from harness.wire import event_log", "core may import only"),
        ("harness/core/x.py", "import os", "core does no I/O"),
        ("harness/core/x.py", "def f():\n    from pathlib import Path", "core does no I/O"),
        ("harness/wire/x.py", "from harness.targets.base import Target", "the other way"),
        ("harness/wire/x.py", "from ..targets import base", "the other way"),
        ("harness/wire/x.py", "from harness import store", "the other way"),
        ("harness/store.py", "import harness.cli.main", "the other way"),
        ("harness/targets/x.py", "from harness.store import Runs", "siblings"),
        ("harness/models/x.py", "from harness.variants import recipes", "siblings"),
        ("harness/render/x.py", "from harness.wire import event_log", "render may import only"),
        ("harness/errors.py", "from harness.core.value import Value", "imports nobody"),
        ("harness/drawer/x.py", "from harness.core.value import Value", "without a place"),
        ("harness/wire/x.py", "if TYPE_CHECKING:\n    from harness.cli import main", "the other way"),
        ("harness/targets/local.py", "import pymobiledevice3.lockdown", "only harness/targets/iphone/device"),
        ("harness/targets/iphone/target.py", "import pymobiledevice3", "only harness/targets/iphone/device"),
        ("harness/pipeline/x.py", "def f():\n    import tensorflow as tf", "only emoji, models, transforms"),
        ("harness/variants/build.py", "import tensorflow as tf", "at module level"),
        (
            "harness/variants/build.py",
            "try:\n    from keras import ops\nexcept ImportError: pass",
            "at module level",
        ),
        ("harness/variants/build.py", "class C:\n    import keras", "at module level"),
        ("harness/core/x.py", "import scipy.special", "slow to import"),
        ("harness/store/x.py", "def f():\n    import fsspec", "only harness/store/remote/place.py"),
        ("harness/store/remote/place.py", "import fsspec", "slow to import"),
        ("harness/store/x.py", "import fcntl", "which Windows lacks"),
        ("harness/targets/iphone/x.py", "import os\nos.killpg(1, 9)", "which Windows lacks"),
        ("harness/wire/x.py", "pass\n" * 401, "401 lines"),
        ("harness/wire/utils.py", "", "says nothing"),
        ("harness/helpers/x.py", "", "says nothing"),
    ],
)
def test_a_breach_is_found(path: str, source: str, reason: str) -> None:
    found = violations(path, source)
    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("harness/cli/run.py", "from harness.pipeline import measure\nfrom harness.core.jobs import Job"),
        (
            "harness/core/x.py",
            "from harness.core.jobs import Job\nimport numpy\nfrom harness.errors import HarnessError",
        ),
        ("harness/core/x.py", "def f():\n    from scipy import special"),
        ("harness/core/x.py", "from .jobs import Job"),
        (
            "harness/variants/x.py",
            "from harness.models import keras_file\nfrom harness.transforms import fold",
        ),
        ("harness/variants/convert_worker.py", "import tensorflow as tf"),
        ("harness/models/x.py", "def f():\n    import keras"),
        ("harness/targets/iphone/device/link.py", "def f():\n    import pymobiledevice3"),
        ("harness/cli/main.py", "from harness import __version__"),
        ("harness/wire/x.py", "pass\n" * 400),
        ("harness/wire/x.py", "import os, sys\nif sys.platform != 'win32':\n    os.killpg(1, 9)"),
        ("harness/virtual_iphone/x.py", "import fcntl"),
    ],
)
def test_what_is_allowed_is_not_reported(path: str, source: str) -> None:
    assert violations(path, source) == []

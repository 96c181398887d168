"""The modules and settings in Python that edits are tried on, and what runs them with everything else made up."""

from __future__ import annotations

import sys
import tomllib
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = Path(__file__).parent / "corpus/python"
PACKAGE = "the_project"
"""What the executed module is a part of, so that it can import its neighbours."""


_FILE = "/project/shop.py"


def refusals() -> dict[str, dict[str, Any]]:
    """Return the files that are left alone, by kind and name."""
    return tomllib.loads((FOLDER / "refused.toml").read_text("utf-8"))


def cases(kind: str, *, refused: bool) -> list[Path]:
    """Return the files of a kind that are left alone, or those that are edited."""
    left = {name for name in refusals() if name.startswith(f"{kind}/")}
    return [path for path in sorted((FOLDER / kind).iterdir()) if (name_of(path) in left) == refused]


def name_of(path: Path) -> str:
    """Return the kind and the name of a file."""
    return f"{path.parent.name}/{path.name.removesuffix('.py.txt')}"


def executed(data: bytes, added: dict[str, Any]) -> dict[str, Any]:
    """Execute a module; what is not installed is made up.

    Args:
        data: The module.
        added: What ``workflow_studio_app`` exports.

    Returns:
        What is defined in it.
    """
    with _made_up(added):
        module = ModuleType(f"{PACKAGE}.module")
        scope = vars(module)
        scope |= {"__package__": PACKAGE, "__file__": _FILE}
        sys.modules[module.__name__] = module
        exec(compile(data.removeprefix(b"\xef\xbb\xbf"), "module.py", "exec"), scope)
        factories = [name for name in ("create_app", "make_server", "start") if name in scope]
        for name in factories:
            scope[name]()
    return dict(scope)


class _MadeUp(ModuleType):
    """A module that has everything."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


class _Finder:
    """Finds what nobody else finds."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> ModuleSpec:
        return ModuleSpec(name, _Finder, origin=_FILE, is_package=True)  # type: ignore[arg-type]

    @staticmethod
    def get_filename(_name: str) -> str:
        return _FILE

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return _MadeUp(spec.name)

    @staticmethod
    def exec_module(_module: ModuleType) -> None:
        pass


@contextmanager
def _made_up(added: dict[str, Any]) -> Iterator[None]:
    before = set(sys.modules)
    ours = ModuleType("workflow_studio_app")
    vars(ours).update(added)
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == ours.__name__}
    sys.modules[ours.__name__] = ours
    sys.meta_path.append(_Finder)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.meta_path.remove(_Finder)  # type: ignore[arg-type]
        for name in set(sys.modules) - before:
            if isinstance(sys.modules[name], _MadeUp) or name in {ours.__name__, f"{PACKAGE}.module"}:
                del sys.modules[name]
        sys.modules.pop(ours.__name__, None)
        sys.modules.update(hidden)

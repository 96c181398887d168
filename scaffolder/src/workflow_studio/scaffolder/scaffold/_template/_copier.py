"""Running Copier without what it would ask questions with.

Half of what ``import copier`` costs are the libraries of its prompts, and nothing is ever asked here: every answer is
given. While Copier is imported, small modules stand in for them; the real ones are there for everybody else. Should a
release of Copier need more of them, it is imported again, in full.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROMPTS = (
    "prompt_toolkit",
    "prompt_toolkit.lexers",
    "prompt_toolkit.validation",
    "pygments",
    "pygments.lexers",
    "pygments.lexers.data",
    "questionary",
    "questionary.prompts",
    "questionary.prompts.common",
)


@dataclass
class _Choice:
    """One of the answers to choose from, which Copier also keeps where it does not ask."""

    title: Any
    value: Any = None
    disabled: Any = None


class _Unasked(ModuleType):
    """A module that has every name: the one class that Copier makes objects of, and empty classes."""

    __path__: list[str] = []  # noqa: RUF012 - what makes a module a package, to the import system

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Choice if name == "Choice" else type(name, (), {})


def run_copy(*arguments: Any, **options: Any) -> None:
    """Run Copier's ``run_copy`` with nobody's settings: what the user set for Copier must not change what is made."""
    quick = "copier" not in sys.modules
    if quick:
        with _stand_ins():
            try:
                _run(arguments, options)
            except Exception:  # noqa: BLE001 - it is tried again, and raised if that does not help
                _forget("copier")
            else:
                return
    _run(arguments, options)


def _run(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    import copier  # noqa: PLC0415 - it takes half a second even so
    from plumbum import local  # noqa: PLC0415 - comes with Copier

    # Where it finds no git it does not ask git about every single file; it finds programs through plumbum.
    with local.env(PATH=""):
        copier.run_copy(*arguments, **options, settings=copier.Settings())


@contextmanager
def _stand_ins() -> Iterator[None]:
    absent = [name for name in _PROMPTS if name not in sys.modules]
    collects = gc.isenabled()
    sys.modules.update({name: _Unasked(name) for name in absent})
    # Importing makes objects that stay: looking through them for garbage again and again finds none.
    gc.disable()
    try:
        yield
    finally:
        for name in absent:
            if isinstance(sys.modules.get(name), _Unasked):
                del sys.modules[name]
        if collects:
            gc.enable()


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]

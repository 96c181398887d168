"""Loads the parts that settings name, and says what is wrong with one before it is used."""

from __future__ import annotations

import importlib
import inspect
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workflow_studio.worker.parts import FactoryContext

T = TypeVar("T")

BUILT_IN: Final = "built-in"
"""What a setting says that wants the worker's own part."""


class PartError(Exception):
    """A part of the worker is not what it must be, or did not start.

    Args:
        message: What is wrong.
        recovery: What to do about it.
        code: ``invalid_part`` or ``part_failed``.
    """

    def __init__(self, message: str, recovery: str | None = None, code: str = "invalid_part") -> None:
        super().__init__(message)
        self.message = message
        self.recovery = recovery
        self.code = code


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of part.

    Attributes:
        setting: The setting that chooses it.
        interface: The protocol it must fulfil.
        optional: Protocols it may fulfil.
        manual: Where its interface is described.
    """

    setting: str
    interface: type[T]
    optional: tuple[type, ...] = ()
    manual: str = "docs/guides/extending.md"

    @property
    def name(self) -> str:
        """What the part is called."""
        return self.interface.__name__


def load(kind: Kind[T], path: str, context: FactoryContext[T]) -> T:
    """Import a factory, have it make its part, and check the part.

    Args:
        kind: What it shall be.
        path: ``package.module:factory``.
        context: What the factory is given.

    Raises:
        PartError: If there is no such factory, it fails, or its part lacks a method.
    """
    setting = kind.setting.upper()
    # A module that prints must not spoil the one document on standard output.
    with redirect_stdout(sys.stderr):
        factory = _factory(setting, path)
        try:
            part = factory(context)
        except Exception as error:
            raise PartError(
                f"The factory {path} of {setting} failed: {_said(error)}.",
                "It is called with one argument, the context, and returns the part.",
            ) from error
    if inspect.iscoroutine(part):
        part.close()
        raise PartError(
            f"The factory {path} of {setting} is `async def`.",
            "Make it a plain function, and do what must be awaited in the part's start().",
        )
    made: T = part
    check(kind, made, f"What {path} makes")
    return made


def check(kind: Kind[T], part: Any, what: str) -> None:
    """Check that a part has the methods it must have, and that they can be called as they will be.

    Args:
        kind: What it shall be.
        part: The part.
        what: What it is called, at the beginning of a sentence.

    Raises:
        PartError: Naming what is wrong, all of it.
    """
    wrong = list(_wrongs(kind, part))
    if wrong:
        raise PartError(
            f"{what} is no {kind.name} for {kind.setting.upper()}: {'; '.join(wrong)}.",
            f"See {kind.manual} for what a {kind.name} must have.",
        )


def abilities(kind: Kind[Any], part: Any) -> list[str]:
    """Return the optional methods that a part has, by name."""
    names = {name for protocol in kind.optional for name, _ in methods(protocol)}
    return sorted(name for name in names if callable(getattr(part, name, None)))


def _factory(setting: str, path: str) -> Callable[[Any], Any]:
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        is_itself = module_name == missing or module_name.startswith(f"{missing}.")
        hint = "It must be installed beside the worker, in PYTHONPATH, or in the folder the worker is started in."
        said = f"There is no module {missing}" if is_itself else f"The module {module_name} needs {missing}"
        raise PartError(f"{said}, which {setting} names." if is_itself else f"{said}.", hint) from error
    except Exception as error:
        raise PartError(f"The module {module_name} of {setting} cannot be imported: {_said(error)}.") from error
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise PartError(
            f"The module {module_name} has no factory {name}, which {setting} names.",
            "Name a function or a class in it: package.module:factory.",
        )
    factory: Callable[[Any], Any] = found
    return factory


def _wrongs(kind: Kind[Any], part: Any) -> Iterator[str]:
    for name in _attributes(kind.interface):
        if not hasattr(part, name):
            yield f"it has no attribute {name}"
    for name, method in methods(kind.interface):
        given = getattr(part, name, None)
        if not callable(given):
            yield f"it has no method {name}"
        else:
            yield from _misfits(name, method, given)
    for protocol in kind.optional:
        for name, method in methods(protocol):
            given = getattr(part, name, None)
            if callable(given):
                yield from _misfits(name, method, given)
    for name in _LIFE:
        given = getattr(part, name, None)
        if callable(given) and name not in dict(methods(kind.interface)):
            yield from _misfits(name, _lives, given)


async def _lives(_self: object) -> None:
    """Have the shape of ``start`` and ``close``."""


_LIFE: Final = ("start", "close")


def _misfits(name: str, wanted: Callable[..., Any], given: Callable[..., Any]) -> Iterator[str]:
    is_async = inspect.iscoroutinefunction(wanted)
    if is_async and not inspect.iscoroutinefunction(given):
        yield f"{name} must be `async def`"
    elif not is_async and inspect.iscoroutinefunction(given):
        yield f"{name} must not be `async def`"
    parameters = list(inspect.signature(wanted).parameters.values())[1:]
    required = [entry for entry in parameters if entry.default is inspect.Parameter.empty]
    try:
        signature = inspect.signature(given)
    except (TypeError, ValueError):
        return  # written in C: only a call will tell
    for arguments in (required, parameters):
        by_name = {entry.name: entry for entry in arguments if entry.kind is inspect.Parameter.KEYWORD_ONLY}
        try:
            signature.bind(*(entry for entry in arguments if entry.name not in by_name), **by_name)
        except TypeError:
            shown = ", ".join(entry.name for entry in parameters)
            yield f"{name} must take ({shown})"
            return


def methods(protocol: type) -> list[tuple[str, Callable[..., Any]]]:
    """Return the methods of a protocol, by name."""
    return [
        (name, value)
        for base in reversed(protocol.__mro__)
        for name, value in vars(base).items()
        if inspect.isfunction(value) and not name.startswith("_") and base.__module__ != "typing"
    ]


def _attributes(protocol: type) -> list[str]:
    return [name for base in protocol.__mro__ for name in getattr(base, "__annotations__", {}) if name[0] != "_"]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")

"""Options that several commands share, as one parameter of the command."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Shared(NamedTuple):
    """One option.

    Attributes:
        name: The parameter's name.
        annotation: As Typer takes it.
        default: What counts where it is not given.
    """

    name: str
    annotation: Any
    default: Any = None


def inject(
    command: Callable[..., T],
    parameters: tuple[str, ...],
    shared: tuple[Shared, ...],
    make: Callable[..., dict[str, Any]],
) -> Callable[..., T]:
    """Return a command with options in place of some of its parameters.

    Args:
        command: The command.
        parameters: Its parameters that are no options; those it does not have are left out.
        shared: The options instead, after its own.
        make: Given the values of the options by name, returns those of the parameters.
    """
    signature = inspect.signature(command)
    wanted = {name for name in parameters if name in signature.parameters}
    own = [entry for name, entry in signature.parameters.items() if name not in wanted]
    added = [
        inspect.Parameter(
            entry.name, inspect.Parameter.KEYWORD_ONLY, default=entry.default, annotation=entry.annotation
        )
        for entry in shared
    ]

    @functools.wraps(command)
    def run(**given: Any) -> T:
        made = make(**{entry.name: given.pop(entry.name) for entry in shared})
        return command(**given, **{name: made[name] for name in wanted})

    # Typer looks at the signature and at the annotations; neither shall lead back to the command's own.
    del run.__wrapped__
    run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {entry.name: entry.annotation for entry in (*own, *added)}
    return run

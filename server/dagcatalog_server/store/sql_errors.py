"""Turns a driver's errors into the store's."""

from collections.abc import Callable

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import ExceptionContext


def translate_errors(
    engine: Engine, translate: Callable[[BaseException], Exception | None]
) -> None:
    """Let statements, commits and connects raise what `translate` makes of the driver's errors.

    The driver's error stays on `__cause__`; None leaves it as it is.
    """

    @event.listens_for(engine, "handle_error")
    def _translate(context: ExceptionContext) -> BaseException | None:
        return translate(context.original_exception)  # what is returned is raised instead

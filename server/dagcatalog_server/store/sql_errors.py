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
        error = context.original_exception
        if isinstance(error, ValueError):  # a text that cannot be stored; SQLAlchemy wraps some
            return ValueError(str(error))
        return translate(error)  # what is returned is raised instead

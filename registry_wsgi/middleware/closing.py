"""What is done once an answer has been sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def after(body: Iterable[bytes], callback: Callable[[], None]) -> Iterable[bytes]:
    """Call `callback` once `body` has been sent, leaving it the very object that it is where that can be.

    A list has been sent as soon as it is returned, as far as anybody here can know. A server knows its
    own file wrapper, and sends the file by itself, only while nothing stands around it.
    """
    if isinstance(body, list):
        callback()
        return body
    close = getattr(body, "close", None)

    def closing() -> None:
        try:
            if close is not None:
                close()
        finally:
            callback()

    try:
        body.close = closing  # type: ignore[attr-defined]
    except AttributeError:
        return ClosingIterator(body, callback)
    return body

"""What processes tell each other of links in storage: that one saw it, or that one deleted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry_wsgi.errors import Unavailable
from registry_wsgi_redis.transactions import UNREACHABLE, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context
    from registry_wsgi_redis.keys import Keys

    Run = Callable[..., list[object]]

_THERE: Final = b"there"
_GONE: Final = b"gone"


class Links:
    """A LinkWitness over `run`. A delete is written over whatever is said, and a look only where nothing is said.

    A delete does not take a rest for an answer: whoever can reach Redis believes what is in it.
    """

    def __init__(self, keys: Keys, run: Run) -> None:
        self._keys = keys
        self._run = run

    def testify(self, ctx: Context, link: str, seconds: float) -> None:
        key = self._keys.link(link)
        self._run(ctx, Step(key, lambda pipe: pipe.set(key, _THERE, nx=True, px=_milliseconds(seconds))))

    def testified(self, ctx: Context, link: str) -> bool:
        key = self._keys.link(link)
        (said,) = self._run(ctx, Step(key, lambda pipe: pipe.get(key)))
        return said == _THERE

    def withdraw(self, ctx: Context, link: str, seconds: float) -> None:
        key = self._keys.link(link)
        try:
            said = Step(key, lambda pipe: pipe.set(key, _GONE, px=_milliseconds(seconds)))
            self._run(ctx, said, urgent=True)
        except Unavailable as error:
            if isinstance(error.__cause__, UNREACHABLE):
                raise
            # A full server takes nothing more, and still forgets.
            self._run(ctx, Step(key, lambda pipe: pipe.delete(key)), urgent=True)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))

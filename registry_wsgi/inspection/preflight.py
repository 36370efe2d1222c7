"""Everything that would keep a registry from starting, at once, where a start stops at the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi import app, config
from registry_wsgi.inspection import listening
from registry_wsgi.wiring.parts import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from registry_wsgi.config import Configuration, Source


def inspect(source: Source | None, *, running: bool = False) -> tuple[Sequence[str], Sequence[str]]:
    """Return the problems and the warnings, a line each.

    What is wrong in the configuration does not hide what cannot be built of the rest: the driver, the cache, files
    that are not there, the address. That address is not looked at where the registry is `running`. Nothing is written.
    """
    configuration, findings = config.examine(source)
    if configuration is not None:
        for part in _parts(configuration, running=running):
            with findings.noted():
                part()
    return [str(problem) for problem in findings.problems], findings.warnings


def _parts(config: Configuration, *, running: bool) -> Iterator[Callable[[], object]]:
    yield from parts(config)
    if tls := config.http.tls:
        yield lambda: listening.check_tls(tls)
    if not running:
        yield lambda: listening.check_address(config.http)
        yield lambda: listening.check_debug(config.http)
    yield lambda: app.build(config)

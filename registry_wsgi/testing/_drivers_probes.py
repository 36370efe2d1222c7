"""The ability to probe: of drivers that have it, what was found is there still, or it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import InvalidPath
from registry_wsgi.interfaces import Probing
from registry_wsgi.testing._drivers_case import DriverCase
from registry_wsgi.testing._drivers_paths import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

CONTENT = b"sha256:" + b"a" * 64


class ProbesSuite(DriverCase):
    @pytest.fixture
    def probe(self, driver: StorageDriver) -> Callable[..., Callable[[], bool]]:
        if not isinstance(driver, Probing) or driver.probe("/a") is None:
            pytest.skip("the driver does not probe")
        return driver.probe  # type: ignore[return-value]  # asked just now

    def test_a_probe_follows_a_file_that_comes_and_goes(
        self, probe: Callable[..., Callable[[], bool]], driver: StorageDriver, ctx: Context
    ) -> None:
        there = probe("/a/b/link")
        assert not there()
        driver.put_content(ctx, "/a/b/link", CONTENT)
        assert there()
        driver.delete(ctx, "/a")
        assert not there()
        driver.put_content(ctx, "/a/b/link", b"")
        assert there()
        driver.move(ctx, "/a/b/link", "/a/b/moved")
        assert not there()

    @pytest.mark.parametrize("other", [b"", CONTENT[:-1], CONTENT + b"\n", CONTENT[:-1] + b"b", CONTENT * 2])
    def test_a_probe_for_content_wants_just_that(
        self, probe: Callable[..., Callable[[], bool]], driver: StorageDriver, ctx: Context, other: bytes
    ) -> None:
        holds = probe("/a/link", CONTENT)
        assert not holds()
        for content, expected in ((CONTENT, True), (other, False), (CONTENT, True)):
            driver.put_content(ctx, "/a/link", content)
            assert holds() is expected
        driver.delete(ctx, "/a/link")
        assert not holds()

    def test_a_probe_sees_every_change_of_another_driver(
        self,
        probe: Callable[..., Callable[[], bool]],
        other_driver: StorageDriver,
        ctx: Context,
    ) -> None:
        there, holds = probe("/a/link"), probe("/a/link", CONTENT)
        for _ in range(20):
            other_driver.put_content(ctx, "/a/link", CONTENT)
            assert (there(), holds()) == (True, True)
            other_driver.put_content(ctx, "/a/link", CONTENT[::-1])
            assert (there(), holds()) == (True, False)
            other_driver.delete(ctx, "/a/link")
            assert (there(), holds()) == (False, False)

    def test_a_directory_holds_nothing(
        self, probe: Callable[..., Callable[[], bool]], driver: StorageDriver, ctx: Context
    ) -> None:
        driver.put_content(ctx, "/a/b/link", CONTENT)
        assert not probe("/a/b", CONTENT)()

    @pytest.mark.parametrize("path", REFUSED, ids=ascii)
    def test_an_invalid_path_cannot_be_probed(self, probe: Callable[..., Callable[[], bool]], path: str) -> None:
        with pytest.raises(InvalidPath):
            probe(path)

"""What a test that needs a real component does where there is none."""

from __future__ import annotations

import pytest

from tests import components

# No package has this name, so nothing is installed however these tests are run.
MISSING = "registry-wsgi-no-such-program"


@pytest.fixture(autouse=True)
def may_not_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_may_install", lambda: False)


def test_a_program_that_is_there_is_named_by_its_path() -> None:
    assert components.require("sh").endswith("/sh")


def test_a_missing_component_skips_the_test_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install its-package"):
        components.require(MISSING, "its-package")


def test_a_missing_component_fails_the_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install its-package"):
        components.require(MISSING, "its-package")

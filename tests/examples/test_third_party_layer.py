"""examples/third_party_layer: found by its entry point, named in the configuration, in its place in the stack."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

import registry_wsgi
from registry_wsgi.errors import ConfigurationError
from tests import storages

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_layer"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the layer importable, with the metadata that an installation makes of its setup.cfg."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(EXAMPLE / "setup.cfg")
    metadata = tmp_path / "example_pause_layer-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: example-pause-layer\nVersion: 1.0\n")
    group = "registry_wsgi.middleware"
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{setup['options.entry_points'][group].strip()}\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # examples stay as they are in the repository
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)
    yield
    sys.modules.pop("pause_layer", None)


def registry(**options: Any) -> TestApp:
    layer = {"name": "pause", "options": options}
    return TestApp(registry_wsgi.create_app({"storage": storages.new_section(), "middleware": {"http": [layer]}}))


def test_writes_are_refused_while_the_file_is_there(tmp_path: Path) -> None:
    flag = tmp_path / "paused"
    app = registry(flag=str(flag), retryafter=5)
    assert app.post("/v2/a/b/blobs/uploads/").status_code == 202
    flag.touch()
    refused = app.post("/v2/a/b/blobs/uploads/", status=503)
    assert refused.json["errors"][0]["code"] == "UNAVAILABLE"
    assert refused.headers["Retry-After"] == "5"
    assert app.get("/v2/").status_code == 200
    flag.unlink()
    assert app.post("/v2/a/b/blobs/uploads/").status_code == 202


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "middleware.http[0].options.flag: required, but not given"),
        ({"flag": "/f", "retryafter": "soon"}, "middleware.http[0].options.retryafter: must be an integer, not 'soon'"),
        ({"flag": "/f", "retry": 5}, "middleware.http[0].options.retry: unknown key; did you mean retryafter?"),
    ],
)
def test_wrong_options_are_an_error_at_start_up(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        registry(**options)
    assert message in str(raised.value)

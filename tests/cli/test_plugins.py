"""`registry-wsgi plugins`: what is installed for each seam, and why one cannot be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from registry_wsgi import __version__
from registry_wsgi.cli import main
from registry_wsgi.inspection.inventory import SEAMS

if TYPE_CHECKING:
    from pathlib import Path


def listed() -> dict[str, list[str]]:
    """Return the lines of each seam by its group."""
    run = CliRunner().invoke(main, ["plugins"])
    assert run.exit_code == 0, run.output
    seams: dict[str, list[str]] = {}
    group = ""
    for line in run.output.splitlines():
        if line.startswith("  "):
            seams[group].append(line.strip())
        else:
            group = line.rpartition("(")[2].rstrip(")")
            seams[group] = []
    return seams


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a driver that cannot be imported, one that is no factory, and one with a name that is taken."""
    metadata = tmp_path / "strange-2.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 2.0\n")
    (metadata / "entry_points.txt").write_text(
        "[registry_wsgi.storage_drivers]\nbroken = no_such_module:Driver\nnumber = sys:maxsize\ninmemory = sys:exit\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_every_seam_is_listed_with_what_is_built_in() -> None:
    seams = listed()
    assert list(seams) == [seam.group for seam in SEAMS]
    drivers = [line.split() for line in seams["registry_wsgi.storage_drivers"]]
    assert ["filesystem", "registry-wsgi", __version__] in drivers
    assert ["inmemory", "registry-wsgi", __version__] in drivers
    layers = {line.split()[0] for line in seams["registry_wsgi.middleware"]}
    assert {"fault-status", "quirk-pages"} <= layers


@pytest.mark.usefixtures("stranger")
def test_a_plugin_that_cannot_be_loaded_is_listed_with_the_reason() -> None:
    drivers = {line.split("  ")[0]: line for line in reversed(listed()["registry_wsgi.storage_drivers"])}
    assert drivers["broken"].endswith(
        "strange 2.0  ! 'broken' of strange 2.0 cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert drivers["number"].endswith("! 'number' of strange 2.0 is no factory: it cannot be called")
    assert "declared by more than one installed distribution" in drivers["inmemory"]

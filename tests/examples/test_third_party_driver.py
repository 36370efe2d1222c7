"""examples/third_party_driver: a registry over fsspec, and the whole distribution installed from its wheel."""

from __future__ import annotations

import configparser
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import ConfigurationError
from registry_wsgi.testing.served import ServedRegistry
from tests import packaging, servers
from tests.wire import Client, digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_driver"
MEMORY = {"protocol": "memory", "rootdirectory": "/registry", "options": {"global_store": False}}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the driver importable, with the metadata that an installation makes of its setup.cfg."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(EXAMPLE / "setup.cfg")
    metadata = tmp_path / "example_fsspec_driver-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: example-fsspec-driver\nVersion: 1.0\n")
    group = "registry_wsgi.storage_drivers"
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{setup['options.entry_points'][group].strip()}\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # examples stay as they are in the repository
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)
    yield
    sys.modules.pop("fsspec_driver", None)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("protocol", ["memory", "file"])
def test_an_image_is_pushed_in_chunks_pulled_and_deleted(protocol: str, tmp_path: Path) -> None:
    section = MEMORY if protocol == "memory" else {"protocol": "file", "rootdirectory": str(tmp_path / "data")}
    with ServedRegistry(config={"storage": {"fsspec": section, "delete": {"enabled": True}}}) as served:
        client = Client(served.url)
        location = client.start_upload("a/b")
        for part in (b"one ", b"two"):
            location = client.request("PATCH", location, part).headers["Location"]
        digest = digest_of(b"one two")
        assert client.request("PUT", with_query(location, digest=digest)).status == 201
        assert client.blob("a/b", digest).body == b"one two"
        image = served.push_image("a/b:v1", [b"layer"])
        assert client.manifest("a/b", "v1").digest == image.digest
        assert client.tags("a/b").json()["tags"] == ["v1"]
        assert client.delete("a/b", "manifests", image.digest) == 202
        assert client.manifest("a/b", "v1").status == 404


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "storage.fsspec.protocol: required, but not given"),
        ({"protocol": "gopher"}, "storage.fsspec: Protocol not known: gopher"),
        ({"protocol": "memory", "root": "/"}, "storage.fsspec.root: unknown key; did you mean protocol?"),
    ],
)
def test_a_wrong_section_is_an_error_at_start_up(section: Mapping[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ServedRegistry(config={"storage": {"fsspec": section}})
    assert message.split(";", maxsplit=1)[0] in str(raised.value)


@packaging.in_ci_or_soak
def test_its_wheel_and_the_core_s_serve_and_pass_its_suite(
    wheels: Mapping[str, Path], tmp_path: Path, free_port: int
) -> None:
    source = shutil.copytree(EXAMPLE, tmp_path / "source")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=packaging.INSTALL_SECONDS)
    (wheel,) = tmp_path.glob("*.whl")
    programs = packaging.environment_with(
        tmp_path / "environment", f"{wheels['registry-wsgi']}[serve]", wheel, "pytest", find=wheels
    )

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [programs / program, *arguments],
            cwd=source,
            env=packaging.outside(),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "  fsspec      example-fsspec-driver 1.0\n" in run("registry-wsgi", "plugins")
    (source / "fsspec_driver.py").unlink()  # the suite is to find what is installed
    run("python", "-m", "pytest", "-q", "-m", "not soak")

    section = {"protocol": "file", "rootdirectory": str(tmp_path / "data")}
    config = {"version": 0.1, "storage": {"fsspec": section}, "http": {"addr": f"127.0.0.1:{free_port}"}}
    (tmp_path / "config.yml").write_text(json.dumps(config))
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen(
            [programs / "registry-wsgi", "serve", tmp_path / "config.yml"],
            cwd=tmp_path,
            env=packaging.outside(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = servers.Server(f"http://127.0.0.1:{free_port}", process, tmp_path / "config.yml", tmp_path / "log")
    try:
        server.wait_until_ready()
        client = Client(server.url)
        assert client.blob("a/b", client.push_blob("a/b", b"content")).body == b"content"
        assert (tmp_path / "data" / "docker" / "registry" / "v2" / "blobs").is_dir()
    finally:
        assert server.stop() == 0

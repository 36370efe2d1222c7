"""buildah makes images from nothing and pushes them; another machine pulls and unpacks them."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from tests.images import KB, MB, random_chunks
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.conftest import Machine
    from tests.servers import Server


def add_layer(machine: Machine, base: str, file: Path, target: str, *, architecture: str = "") -> None:
    """Commit an image of one more layer than `base`, with one more file."""
    container = machine.buildah("from", "--pull-never", base).decode().strip()
    machine.buildah("copy", "--quiet", container, str(file), f"/{file.name}")
    if architecture:
        machine.buildah("config", "--arch", architecture, container)
    machine.buildah("commit", "--quiet", "--rm", container, target)


def push(machine: Machine, image: str, target: str, directory: Path) -> str:
    """Push and return the digest of the manifest that buildah sent."""
    digest_file = directory / "digest"
    machine.buildah("push", "--tls-verify=false", "--digestfile", str(digest_file), image, f"docker://{target}")
    return digest_file.read_text()


def pull(machine: Machine, source: str, *options: str) -> str:
    """Pull and return the image's id."""
    return machine.buildah("pull", "--quiet", "--tls-verify=false", *options, source).decode().strip()


def file_in(machine: Machine, image: str, name: str) -> bytes:
    """Return a file's content from the layers that the machine has unpacked."""
    archive = machine.directory / "archive.tar"
    machine.buildah("push", "--quiet", image, f"docker-archive:{archive}")
    with tarfile.open(archive) as files:
        archive.unlink()  # buildah would not write over it the next time
        for layer_name in json.load(files.extractfile("manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=files.extractfile(layer_name)) as layer:
                if name in layer.getnames():
                    return layer.extractfile(name).read()
    raise AssertionError(f"{image} has no file {name}")


def image_id(machine: Machine, image: str) -> str:
    return json.loads(machine.buildah("inspect", "--type", "image", image))["FromImageID"]


def write(path: Path, size: int) -> Path:
    path.write_bytes(b"".join(random_chunks(size, path.name)))
    return path


def test_images_that_share_a_base_come_back_identical_from_two_repositories(
    registry: Server, machine: Callable[[str], Machine], tmp_path: Path
) -> None:
    base, top = write(tmp_path / "base", 10 * MB), write(tmp_path / "top", KB)
    sender = machine("sender")
    add_layer(sender, "scratch", base, "localhost/base")
    add_layer(sender, "localhost/base", top, "localhost/top")
    digests = {
        name: push(sender, f"localhost/{name}", f"{registry.host}/buildah/{name}:v1", tmp_path)
        for name in ("base", "top")
    }

    receiver = machine("receiver")
    for name, digest in digests.items():
        repository = f"{registry.host}/buildah/{name}"
        assert pull(receiver, f"{repository}:v1") == image_id(sender, f"localhost/{name}")
        assert pull(receiver, f"{repository}@{digest}") == image_id(sender, f"localhost/{name}")
        assert file_in(receiver, f"{repository}:v1", "base") == base.read_bytes()
    assert file_in(receiver, f"{registry.host}/buildah/top:v1", "top") == top.read_bytes()

    client = Client(registry.url)
    layers = {name: client.manifest(f"buildah/{name}", "v1").json()["layers"] for name in digests}
    assert layers["top"][0] == layers["base"][0]


def test_a_manifest_list_of_two_platforms_serves_each_its_image(
    registry: Server, machine: Callable[[str], Machine], tmp_path: Path
) -> None:
    sender = machine("sender")
    sender.buildah("manifest", "create", "localhost/list")
    for architecture in ("amd64", "arm64"):
        program = write(tmp_path / f"program-{architecture}", 10 * KB)
        add_layer(sender, "scratch", program, f"localhost/{architecture}", architecture=architecture)
        sender.buildah("manifest", "add", "localhost/list", f"localhost/{architecture}")
    digest_file = tmp_path / "digest"
    options = ["--all", "--tls-verify=false", "--digestfile", str(digest_file)]
    target = f"docker://{registry.host}/buildah/list:v1"
    sender.buildah("manifest", "push", *options, "localhost/list", target)

    for architecture in ("amd64", "arm64"):
        receiver = machine(architecture)
        source = f"{registry.host}/buildah/list:v1"
        pulled = pull(receiver, source, "--arch", architecture)
        assert pulled == image_id(sender, f"localhost/{architecture}")
        name = f"program-{architecture}"
        assert file_in(receiver, pulled, name) == (tmp_path / name).read_bytes()

    served = Client(registry.url).manifest("buildah/list", digest_file.read_text())
    assert served.headers["Content-Type"] in mediatypes.INDEXES
    assert digest_of(served.body) == served.digest

"""podman unpacks what it pulls: the image's id and its unpacked layers have to be the sender's."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from tests.images import KB, MB, Image, Layout
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.conftest import Machine
    from tests.servers import Server


def image_id(image: Image) -> str:
    return image.config_digest.removeprefix("sha256:")


def load(machine: Machine, layout: Layout, tag: str, *options: str) -> None:
    machine.podman("pull", "--quiet", *options, f"oci:{layout.directory}:{tag}")


def push(machine: Machine, image: Image, target: str, directory: Path, *options: str) -> str:
    """Push and return the digest of the manifest that podman sent."""
    digest_file = directory / "digest"
    options = ("--tls-verify=false", "--digestfile", str(digest_file), *options)
    machine.podman("push", *options, image_id(image), f"docker://{target}")
    return digest_file.read_text()


def pull(machine: Machine, source: str, *options: str) -> str:
    """Pull and return the image's id."""
    return machine.podman("pull", "--quiet", "--tls-verify=false", *options, source).decode().strip()


def unpacked_layers(machine: Machine, image: str) -> list[str]:
    """Return the digests of the unpacked layers, computed from what the machine stored."""
    archive = machine.directory / f"{image}.tar"
    machine.podman("save", "--quiet", "--format", "docker-archive", "--output", str(archive), image)
    with tarfile.open(archive) as files:
        manifest = json.load(files.extractfile("manifest.json"))
        layers = [files.extractfile(name) for name in manifest[0]["Layers"]]
        digests = [f"sha256:{hashlib.file_digest(layer, 'sha256').hexdigest()}" for layer in layers]
    archive.unlink()  # podman would not write over it
    return digests


@pytest.mark.parametrize(
    ("manifest_format", "media_type"),
    [("oci", mediatypes.OCI_MANIFEST), ("v2s2", mediatypes.DOCKER_MANIFEST)],
)
def test_an_image_comes_back_identical_by_tag_and_by_digest(
    registry: Server,
    machine: Callable[[str], Machine],
    layout: Layout,
    tmp_path: Path,
    manifest_format: str,
    media_type: str,
) -> None:
    image = layout.add_image([KB, 100 * KB, 10 * MB], "v1", seed=manifest_format)
    sender = machine("sender")
    load(sender, layout, "v1")
    name = f"podman/image-{manifest_format}"
    digest = push(sender, image, f"{registry.host}/{name}:v1", tmp_path, "--format", manifest_format)

    by_tag, by_digest = machine("by-tag"), machine("by-digest")
    assert pull(by_tag, f"{registry.host}/{name}:v1") == pull(by_digest, f"{registry.host}/{name}@{digest}")
    stored = json.loads(by_tag.podman("image", "inspect", f"{registry.host}/{name}:v1"))[0]
    assert stored["Digest"] == digest
    assert stored["RootFS"]["Layers"] == image.diff_ids
    for receiver in (by_tag, by_digest):
        assert unpacked_layers(receiver, stored["Id"]) == image.diff_ids
    if manifest_format == "oci":  # the docker format brings a config of its own
        assert stored["Id"] == image_id(image)

    served = Client(registry.url).manifest(name, "v1")
    assert served.headers["Content-Type"] == media_type
    assert digest_of(served.body) == served.digest == digest


@pytest.mark.parametrize(
    ("manifest_format", "media_type"),
    [("oci", mediatypes.OCI_INDEX), ("v2s2", mediatypes.DOCKER_MANIFEST_LIST)],
)
def test_a_manifest_list_of_two_platforms_serves_each_its_image(
    registry: Server,
    machine: Callable[[str], Machine],
    layout: Layout,
    tmp_path: Path,
    manifest_format: str,
    media_type: str,
) -> None:
    sender = machine("sender")
    sender.podman("manifest", "create", "localhost/list")
    images = {}
    for architecture in ("amd64", "arm64"):
        tag = f"only-{architecture}"
        images[architecture] = layout.add_image([KB, 100 * KB], tag, seed=architecture, architecture=architecture)
        load(sender, layout, tag)
        sender.podman("manifest", "add", "localhost/list", f"containers-storage:{image_id(images[architecture])}")
    name, digest_file = f"podman/list-{manifest_format}", tmp_path / "digest"
    options = ["--all", "--format", manifest_format, "--tls-verify=false", "--digestfile", str(digest_file)]
    sender.podman("manifest", "push", *options, "localhost/list", f"docker://{registry.host}/{name}:v1")

    digest = digest_file.read_text()
    for architecture, image in images.items():
        receiver = machine(architecture)
        for reference in (":v1", f"@{digest}"):
            pulled = pull(receiver, f"{registry.host}/{name}{reference}", "--arch", architecture)
            assert unpacked_layers(receiver, pulled) == image.diff_ids

    served = Client(registry.url).manifest(name, digest)
    assert served.headers["Content-Type"] == media_type
    assert digest_of(served.body) == digest
    platforms = [entry["platform"]["architecture"] for entry in served.json()["manifests"]]
    assert sorted(platforms) == ["amd64", "arm64"]

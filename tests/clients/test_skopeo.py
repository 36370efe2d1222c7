"""skopeo copies byte for byte: what comes back is compared blob by blob with what was sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from tests.images import KB, MB, Layout
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.conftest import Machine
    from tests.servers import Server

SMALL = [KB, 100 * KB, 10 * MB]
EXACT = ["--preserve-digests"]


def push(machine: Machine, layout: Layout, tag: str, target: str, *options: str) -> None:
    source = f"oci:{layout.directory}:{tag}"
    machine.skopeo("copy", "--dest-tls-verify=false", *options, source, f"docker://{target}")


def pull(machine: Machine, source: str, directory: Path, *options: str) -> Layout:
    layout = Layout(directory)
    target = f"oci:{directory}:pulled"
    machine.skopeo("copy", "--src-tls-verify=false", *options, f"docker://{source}", target)
    return layout


def raw_manifest(machine: Machine, source: str) -> bytes:
    return machine.skopeo("inspect", "--tls-verify=false", "--raw", f"docker://{source}")


@pytest.mark.parametrize(
    ("sizes", "by"),
    [(SMALL, "tag"), (SMALL, "digest"), ([*SMALL, 500 * MB], "tag")],
    ids=["three layers by tag", "three layers by digest", "four layers up to 500 MB by tag"],
)
def test_an_image_comes_back_identical(
    registry: Server,
    machine: Callable[[str], Machine],
    layout: Layout,
    tmp_path: Path,
    sizes: list[int],
    by: str,
) -> None:
    image = layout.add_image(sizes, "v1")
    repository = f"{registry.host}/skopeo/image-{len(sizes)}-{by}"
    push(machine("sender"), layout, "v1", f"{repository}:v1", *EXACT)

    receiver = machine("receiver")
    source = f"{repository}:v1" if by == "tag" else f"{repository}@{image.digest}"
    pulled = pull(receiver, source, tmp_path / "pulled", *EXACT)

    assert pulled.digests() == layout.digests()
    assert raw_manifest(receiver, source) == layout.read(image.digest)


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_an_index_of_two_platforms_comes_back_identical(
    registry: Server, machine: Callable[[str], Machine], layout: Layout, tmp_path: Path, by: str
) -> None:
    images = {
        architecture: layout.add_image([KB, 100 * KB], seed=architecture, architecture=architecture)
        for architecture in ("amd64", "arm64")
    }
    index = layout.add_index(images, "v1")
    repository = f"{registry.host}/skopeo/index-{by}"
    push(machine("sender"), layout, "v1", f"{repository}:v1", "--all", *EXACT)

    receiver = machine("receiver")
    source = f"{repository}:v1" if by == "tag" else f"{repository}@{index['digest']}"
    pulled = pull(receiver, source, tmp_path / "pulled", "--all", *EXACT)

    assert pulled.digests() == layout.digests()
    assert raw_manifest(receiver, source) == layout.read(index["digest"])


def test_each_platform_gets_its_own_image_from_an_index(
    registry: Server, machine: Callable[[str], Machine], layout: Layout, tmp_path: Path
) -> None:
    images = {
        architecture: layout.add_image([KB, 10 * KB], seed=architecture, architecture=architecture)
        for architecture in ("amd64", "arm64")
    }
    layout.add_index(images, "v1")
    source = f"{registry.host}/skopeo/platforms:v1"
    client = machine("client")
    push(client, layout, "v1", source, "--all", *EXACT)

    for architecture, image in images.items():
        client_options = ["--override-os", "linux", "--override-arch", architecture]
        target = f"oci:{tmp_path / architecture}:pulled"
        client.skopeo(*client_options, "copy", "--src-tls-verify=false", f"docker://{source}", target)
        assert image.digest in Layout(tmp_path / architecture).digests()


@pytest.mark.parametrize("media_type", [mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_MANIFEST_LIST])
def test_docker_manifests_are_stored_and_served_as_received(
    registry: Server, machine: Callable[[str], Machine], layout: Layout, tmp_path: Path, media_type: str
) -> None:
    image = layout.add_image([KB, 100 * KB], "v1")
    layout.add_index({"amd64": image}, "list")
    is_list = media_type == mediatypes.DOCKER_MANIFEST_LIST
    source = f"{registry.host}/skopeo/docker{'-list' if is_list else ''}:v1"
    client = machine("client")
    push(client, layout, "list" if is_list else "v1", source, "--all", "--format", "v2s2")

    document = raw_manifest(client, source)
    assert json.loads(document)["mediaType"] == media_type
    # skopeo keeps the registry's bytes in a `dir:`, so they can be compared with what `inspect` shows.
    target = tmp_path / "pulled"
    client.skopeo("copy", "--src-tls-verify=false", "--all", *EXACT, f"docker://{source}", f"dir:{target}")
    assert (target / "manifest.json").read_bytes() == document
    by_digest = source.removesuffix(":v1") + "@" + digest_of(document)
    assert raw_manifest(client, by_digest) == document


def test_an_artifact_comes_back_identical(
    registry: Server, machine: Callable[[str], Machine], layout: Layout, tmp_path: Path
) -> None:
    artifact = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": layout.add([b"{}"], "application/vnd.example.recipe.config.v1+json"),
        "layers": [layout.add([b"salt, bread\n"], "text/plain")],
        "annotations": {"org.example.course": "first"},
    }
    descriptor = layout.add_manifest(artifact, "v1")
    source = f"{registry.host}/skopeo/artifact:v1"
    push(machine("sender"), layout, "v1", source, *EXACT)

    receiver = machine("receiver")
    assert pull(receiver, source, tmp_path / "pulled", *EXACT).digests() == layout.digests()
    assert raw_manifest(receiver, source) == layout.read(descriptor["digest"])


def test_two_repositories_share_layers_and_lose_them_apart(
    registry: Server, machine: Callable[[str], Machine], layout: Layout, tmp_path: Path
) -> None:
    image = layout.add_image([KB, 100 * KB], "v1", seed="shared")
    sender = machine("sender")
    for name in ("one", "two"):
        push(sender, layout, "v1", f"{registry.host}/skopeo/shared-{name}:v1", *EXACT)

    client = Client(registry.url)
    layers = [layer["digest"] for layer in image.manifest["layers"]]
    for layer in layers:
        assert client.delete("skopeo/shared-one", "blobs", layer) == 202
        assert client.blob("skopeo/shared-one", layer).status == 404

    pulled = pull(machine("receiver"), f"{registry.host}/skopeo/shared-two:v1", tmp_path / "pulled", *EXACT)
    assert pulled.digests() == layout.digests()


def test_tags_are_listed_and_deleted(registry: Server, machine: Callable[[str], Machine], layout: Layout) -> None:
    layout.add_image([KB], "v1", seed="listed")
    repository = f"docker://{registry.host}/skopeo/tags"
    client = machine("client")
    for tag in ("v2", "v1", "latest"):
        push(client, layout, "v1", f"{registry.host}/skopeo/tags:{tag}", *EXACT)
    assert json.loads(client.skopeo("list-tags", "--tls-verify=false", repository))["Tags"] == ["latest", "v1", "v2"]

    # skopeo deletes the manifest that the tag points at, and all three tags point at it.
    client.skopeo("delete", "--tls-verify=false", f"{repository}:v1")
    assert not Client(registry.url).tags("skopeo/tags").json()["tags"]

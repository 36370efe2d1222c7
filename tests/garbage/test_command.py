"""`registry-wsgi garbage-collect`, beside a registry that serves and killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from registry_wsgi import mediatypes
from registry_wsgi.cli import main
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.storage import paths
from registry_wsgi.storage.collection import exists
from tests import storages
from tests.stack import image_manifest, push_blob, push_image, stack_over
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from webtest import TestApp

    from registry_wsgi.interfaces import StorageDriver
    from tests.conftest import Serve

COMMAND = "garbage-collect"
ALL = ("--offline", "--grace", "0s")
SECONDS = 240.0


@pytest.fixture
def app(tmp_path: Path) -> TestApp:
    """A registry over `tmp_path`, with an image and an unused blob."""
    app = stack_over(storages.driver_at(tmp_path))
    push_image(app, "a", "v1", b"{}", b"layer")
    push_blob(app, "a", b"unused")
    return app


def config(directory: Path) -> str:
    document = {"version": 0.1, "storage": storages.section(directory)}
    path = directory / "config.yml"
    path.write_text(json.dumps(document))
    return str(path)


def collect(directory: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, [COMMAND, config(directory), *arguments])
    return result.exit_code, result.output


def test_it_says_what_it_deleted_and_how_much(app: TestApp, tmp_path: Path) -> None:
    unused = Digest.of(b"unused")
    total = "1 blobs, 6 bytes; kept 3 that are used, 0 for their age"
    lines = f"blob {unused} 6 bytes\n%s 0 manifests and {total}\n"
    assert collect(tmp_path, *ALL, "--dry-run") == (0, lines % "would delete")
    app.head(f"/v2/a/blobs/{unused}", status=200)
    assert collect(tmp_path, *ALL) == (0, lines % "deleted")
    app.head(f"/v2/a/blobs/{unused}", status=404)


def test_it_says_so_in_json(app: TestApp, tmp_path: Path) -> None:
    digest = app.head("/v2/a/manifests/v1").headers["Docker-Content-Digest"]
    app.delete("/v2/a/manifests/v1", status=202)
    status, output = collect(tmp_path, *ALL, "--delete-untagged", "--json")
    document = json.loads(output)
    assert status == 0
    assert document["manifests"] == [{"repository": "a", "digest": digest}]
    assert {"digest": Digest.of(b"unused"), "size": 6} in document["blobs"]
    assert len(document["blobs"]) == 4
    assert document["bytes"] == sum(each["size"] for each in document["blobs"])
    assert (document["dry_run"], document["used"], document["recent"], document["unreadable"]) == (False, 0, 0, [])


def test_what_cannot_be_read_is_named_and_the_exit_status_says_so(app: TestApp, tmp_path: Path) -> None:
    digest = Digest(app.head("/v2/a/manifests/v1").headers["Docker-Content-Digest"])
    storages.driver_at(tmp_path).delete(Context(), paths.blob_data(digest))
    status, output = collect(tmp_path, *ALL)
    assert status == 1
    assert f"cannot be read, and all of its repository was kept: a@{digest}\n" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grace", "1 day"], "--grace must be a duration such as 24h or 90m, not '1 day'"),
        (["--grace", "5m"], "the grace period must be an hour or more while the registry serves, not 300 s"),
        (["--offline", "--grace", "-1s"], "the grace period must be 0 or more, not -1 s"),
    ],
)
def test_a_mistake_is_one_line(arguments: Sequence[str], message: str, tmp_path: Path) -> None:
    assert collect(tmp_path, *arguments) == (2, f"registry-wsgi: {message}\n")


@pytest.mark.usefixtures("app")
def test_a_damaged_link_is_named_and_nothing_is_deleted(tmp_path: Path) -> None:
    link = f"{paths.tags('a')}/v1/current/link"
    storages.driver_at(tmp_path).put_content(Context(), link, b"damaged")
    message = f"registry-wsgi: no blob was deleted: the link file {link} holds no digest\n"
    assert collect(tmp_path, *ALL) == (2, message)


def test_a_second_one_is_refused(tmp_path: Path) -> None:
    held = storages.driver_at(tmp_path).writer(Context(), paths.COLLECTION_TURN)
    message = "registry-wsgi: another garbage collection is running on this storage\n"
    assert collect(tmp_path, *ALL) == (2, message)
    held.close()


def test_killed_in_the_middle_it_leaves_what_is_used_and_the_rest_to_the_next(tmp_path: Path, serve: Serve) -> None:
    client = Client(serve(tmp_path).url)
    driver = storages.driver_at(tmp_path)
    app = stack_over(driver)
    layers = [b"layer of the image %d" % number for number in range(4)]
    digest = push_image(app, "a", "v1", *layers)
    unused = [push_blob(app, "a", b"unused %d" % number) for number in range(storages.sampled(200))]
    command = [sys.executable, "-m", "registry_wsgi", COMMAND, config(tmp_path), *ALL]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    until = time.monotonic() + SECONDS
    while process.poll() is None and not list_missing(driver, unused):
        assert time.monotonic() < until
        time.sleep(0.001)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert client.manifest("a", "v1").digest == digest
    for layer in layers:
        assert client.blob("a", Digest.of(layer)).body == layer
    unlinked = {digest for digest in unused if client.blob("a", digest).status != 200}
    assert list_missing(driver, unused) <= unlinked, "no link is left without its blob"
    assert len(unlinked - list_missing(driver, unused)) <= 1, "one was about to be deleted"
    assert client.push_blob("a", b"unused 0") == unused[0]
    while (run := collect(tmp_path, *ALL))[0] == 2:  # in a store the turn of one that died is held for its lease
        assert "another garbage collection is running" in run[1]
        assert time.monotonic() < until
        time.sleep(0.1)
    assert run[0] == 0
    assert list_missing(driver, unused) == set(unused)
    assert client.blob("a", Digest.of(layers[0])).status == 200


def list_missing(driver: StorageDriver, digests: Sequence[Digest]) -> set[Digest]:
    return {digest for digest in digests if not exists(driver, Context(), paths.blob_data(digest))}


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["granian", "gthread"])
def test_pushes_of_a_minute_beside_a_collection_lose_nothing(kind: str, tmp_path: Path, serve: Serve) -> None:
    sections: dict[str, Any] = {"storage": {"cache": {"blobdescriptor": "inmemory"}}}
    arguments = ["--workers", "2"]
    url = serve(tmp_path, kind=kind, sections=sections, arguments=arguments).url
    contents = [b"shared and unused %d" % number for number in range(400)]
    for content in contents:
        Client(url).push_blob("old", content)
    long_ago = time.time() - 48 * 3600
    for path in tmp_path.rglob("*"):
        if path.name in {"data", "link"}:
            os.utime(path, (long_ago, long_ago))
    acknowledged: list[tuple[str, bytes]] = []
    ended = threading.Event()

    def push(worker: int) -> None:
        client, number = Client(url), 0
        while not ended.is_set():
            name, number = f"worker{worker}/{number % 7}", number + 1
            some = [contents[(number * 13 + worker * 101 + step * 7) % len(contents)] for step in range(3)]
            for content in some:
                if client.blob("old", Digest.of(content)).status == 200 and number % 2:
                    client.request("POST", f"/v2/{name}/blobs/uploads/?mount={Digest.of(content)}&from=old")
                client.request("POST", f"/v2/{name}/blobs/uploads/?digest={Digest.of(content)}", content)
            manifest = image_manifest(*map(Digest.of, some), annotations={"number": str(number)})
            headers = {"Content-Type": mediatypes.OCI_MANIFEST}
            if client.request("PUT", f"/v2/{name}/manifests/v{number}", manifest, headers).status == 201:
                acknowledged.append((f"/v2/{name}/manifests/v{number}", manifest))

    pushing = [threading.Thread(target=push, args=(worker,)) for worker in range(3)]
    for thread in pushing:
        thread.start()
    command = [sys.executable, "-m", "registry_wsgi", COMMAND, config(tmp_path), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    ended.set()
    for thread in pushing:
        thread.join()
    assert run.returncode == 0, run.stderr
    assert acknowledged
    client = Client(url)
    for target, manifest in acknowledged:
        assert client.request("GET", target).body == manifest
        for each in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]:
            blob = client.request("GET", f"{target.rpartition('/manifests/')[0]}/blobs/{each['digest']}")
            assert Digest.of(blob.body) == each["digest"]
    print(len(acknowledged), "manifests beside", len(json.loads(run.stdout)["blobs"]), "blobs that were deleted")

"""A collection beside pushes: whatever the order of their calls, what was acknowledged is there afterwards.

The blobs that are pushed are there already, old and unused: just what the collection is about to delete.
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.storage import paths
from registry_wsgi.storage.collection import LINGERING, exists
from registry_wsgi.storage.garbage import collect
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.dated import DatedDriver
from tests.garbage.actors import Actor, Stepping
from tests.stack import image_manifest, stack_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from webtest import TestApp

    from registry_wsgi.interfaces import StorageDriver
    from tests.dated import Clock

HOUR = 3600.0
CONFIG, LAYER, INNER = b"{}", b"layer", b"of the untagged manifest"
SEED = int(os.environ.get("SEED", "0"))


class Client:
    """Pushes, gives up at the first refusal, and remembers what was acknowledged."""

    def __init__(self, driver: object) -> None:
        self._app: TestApp = stack_over(driver)  # type: ignore[arg-type]
        self.acknowledged: list[str] = []

    def blob(self, name: str, content: bytes) -> bool:
        digest = Digest.of(content)
        answer = self._app.post(f"/v2/{name}/blobs/uploads/?digest={digest}", content, status="*")
        return self._noted(answer.status_int, f"/v2/{name}/blobs/{digest}")

    def chunked(self, name: str, content: bytes) -> bool:
        digest = Digest.of(content)
        location = self._app.post(f"/v2/{name}/blobs/uploads/", status="*").headers["Location"]
        self._app.patch(location, content, status="*")
        answer = self._app.put(f"{location}?digest={digest}", status="*")
        return self._noted(answer.status_int, f"/v2/{name}/blobs/{digest}")

    def mount(self, name: str, source: str, content: bytes) -> bool:
        digest = Digest.of(content)
        answer = self._app.post(f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}", status="*")
        return self._noted(answer.status_int, f"/v2/{name}/blobs/{digest}") or self.blob(name, content)

    def there(self, name: str, content: bytes) -> bool:
        url = f"/v2/{name}/blobs/{Digest.of(content)}"
        return self._app.head(url, status="*").status_int == 200 or self.blob(name, content)

    def manifest(self, name: str, reference: str, content: bytes) -> bool:
        headers = {"Content-Type": json.loads(content)["mediaType"]}
        answer = self._app.put(f"/v2/{name}/manifests/{reference}", content, headers=headers, status="*")
        return self._noted(answer.status_int, f"/v2/{name}/manifests/{reference}")

    def _noted(self, status: int, url: str) -> bool:
        assert status in {201, 202, 400, 503}, (status, url)
        if status == 201:
            self.acknowledged.append(url)
        return status == 201


def descriptor(manifest: bytes) -> dict[str, object]:
    return {"mediaType": mediatypes.OCI_MANIFEST, "digest": Digest.of(manifest), "size": len(manifest)}


UNTAGGED = image_manifest(Digest.of(INNER))
IMAGE = image_manifest(Digest.of(CONFIG), Digest.of(LAYER))
ATTACHED = image_manifest(Digest.of(CONFIG), subject=descriptor(UNTAGGED))
INDEX = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [descriptor(UNTAGGED)],
    }
).encode()

PUSHES: dict[str, Callable[[Client], bool]] = {
    "blobs that are there already": lambda client: (
        client.blob("b", CONFIG) and client.chunked("b", LAYER) and client.manifest("b", "v1", IMAGE)
    ),
    "what a HEAD has found": lambda client: (
        client.there("a", CONFIG) and client.there("a", LAYER) and client.manifest("a", "v1", IMAGE)
    ),
    "mounts": lambda client: (
        client.mount("b", "a", CONFIG) and client.mount("b", "a", LAYER) and client.manifest("b", "v1", IMAGE)
    ),
    "an index of an untagged manifest": lambda client: client.manifest("a", "v1", INDEX),
    "a tag for an untagged manifest": lambda client: client.manifest("a", "v1", UNTAGGED),
    "a signature of an untagged manifest": lambda client: (
        client.there("a", CONFIG)
        and client.manifest("a", str(Digest.of(ATTACHED)), ATTACHED)
        and client.manifest("a", "v1", UNTAGGED)
    ),
}


def aged(clock: Clock) -> StorageDriver:
    """Return a store with old blobs, and an old manifest without a tag."""
    driver = DatedDriver(storages.new_driver())
    client = Client(driver)
    for content in (CONFIG, LAYER, INNER):
        assert client.blob("a", content)
    assert client.manifest("a", str(Digest.of(UNTAGGED)), UNTAGGED)
    clock.pass_(2 * HOUR)
    return driver


def check(driver: StorageDriver, urls: list[str]) -> None:
    """Get what was acknowledged, and all that it leads to."""
    app = stack_over(driver)
    for url in urls:
        answer = app.get(url, headers={"Accept": ", ".join(sorted(mediatypes.MANIFESTS))}, status=200)
        if "/manifests/" in url:
            document, place = answer.json, url.rpartition("/manifests/")[0]
            blobs = [*document.get("layers", ()), *filter(None, [document.get("config")])]
            check(driver, [f"{place}/blobs/{each['digest']}" for each in blobs])
            check(driver, [f"{place}/manifests/{each['digest']}" for each in document.get("manifests", ())])


def collector(driver: StorageDriver) -> Actor:
    registry = Registry(Stepping(driver))  # type: ignore[arg-type]
    return Actor(lambda: collect(Context(), registry, grace=HOUR, delete_untagged=True))


@pytest.mark.parametrize("push", PUSHES.values(), ids=PUSHES)
@pytest.mark.parametrize("schedules", [storages.sampled(15), pytest.param(4000, marks=pytest.mark.soak)])
def test_nothing_that_was_acknowledged_is_lost(push: Callable[[Client], bool], schedules: int, clock: Clock) -> None:
    rng = random.Random(SEED)
    client = Client(Stepping(aged(clock)))
    pushing = Actor(lambda: push(client)).finish()
    collecting = collector(aged(clock)).finish()
    refused = 0
    for _ in range(schedules):
        driver = aged(clock)
        client = Client(Stepping(driver))
        collected, pushed = collector(driver), Actor(lambda client=client: push(client))  # type: ignore[misc]
        for _ in range(rng.choice((1, 2, 3))):
            pushed.go(rng.randrange(pushing))
            collected.go(rng.randrange(collecting))
        for actor in rng.sample((collected, pushed), 2):
            actor.finish()
        check(driver, client.acknowledged)
        refused += not any(url.endswith("/manifests/v1") for url in client.acknowledged)
        again = Client(driver)
        for content in (CONFIG, LAYER, INNER):
            assert again.blob("a", content)
        assert again.manifest("a", str(Digest.of(UNTAGGED)), UNTAGGED)
        assert push(again), "what was refused is taken when all of it is sent again"
        check(driver, again.acknowledged)
    assert refused < schedules, "some pushes succeed at once"


@pytest.mark.parametrize("schedules", [storages.sampled(6), pytest.param(400, marks=pytest.mark.soak)])
def test_a_collection_that_is_killed_leaves_a_registry_that_is_whole(schedules: int, clock: Clock) -> None:
    rng = random.Random(SEED)
    calls = collector(aged(clock)).finish()
    for _ in range(schedules):
        driver = aged(clock)
        before = Client(driver)
        assert before.blob("c", b"kept")
        assert before.manifest("c", "v1", image_manifest(Digest.of(b"kept")))
        collected = collector(driver)
        collected.go(rng.randrange(calls))
        collected.kill()
        check(driver, before.acknowledged)
        for push in PUSHES.values():
            client = Client(driver)
            push(client)
            check(driver, client.acknowledged)
        # The turn of a process that died is free, and so is that of a thread which had to end.
        clock.pass_(2 * HOUR)
        collect(Context(), Registry(driver), grace=HOUR)
        check(driver, before.acknowledged)


def _calls_of(push: Callable[[Client], bool], clock: Clock) -> int:
    client = Client(Stepping(aged(clock)))
    return Actor(lambda: push(client)).finish()


@pytest.mark.parametrize("schedules", [storages.sampled(12), pytest.param(2000, marks=pytest.mark.soak)])
def test_writers_end_a_collection_that_was_killed_and_lose_nothing_by_it(schedules: int, clock: Clock) -> None:
    rng = random.Random(SEED)
    calls = collector(aged(clock)).finish()
    pushing = {push: _calls_of(push, clock) for push in PUSHES.values()}
    for number in range(schedules):
        push = list(PUSHES.values())[number % len(PUSHES)]
        driver = aged(clock)
        client, others = Client(Stepping(driver)), Client(driver)
        collected, pushed = collector(driver), Actor(lambda client=client, push=push: push(client))  # type: ignore[misc]
        for _ in range(rng.choice((1, 2))):
            pushed.go(rng.randrange(pushing[push]))
            collected.go(rng.randrange(1, calls))
        collected.kill()
        looks = 0
        while exists(driver, Context(), paths.COLLECTION_RUNNING):
            assert looks <= LINGERING / 10 + 2, "it ends when it has been dead for a while"
            others.blob("other", b"another blob")
            clock.pass_(10)
            looks += 1
        pushed.finish()
        check(driver, [*client.acknowledged, *others.acknowledged])


def test_a_collection_that_lives_is_not_ended_however_long_it_takes(clock: Clock) -> None:
    driver = aged(clock)
    client, collected = Client(driver), collector(driver)
    collected.go(15)
    for _ in range(20):
        assert client.blob("other", b"another blob")
        clock.pass_(10)
    assert exists(driver, Context(), paths.COLLECTION_RUNNING)
    collected.kill()
    assert client.blob("other", b"another blob")
    clock.pass_(10)
    again = collector(driver)
    again.go(2)
    again.kill()
    clock.pass_(LINGERING - 10)
    assert client.blob("other", b"another blob")
    assert exists(driver, Context(), paths.COLLECTION_RUNNING), "of another collection it is told anew"

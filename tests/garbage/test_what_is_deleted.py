"""Blobs that nothing uses go, when they are old enough; whatever leads to content keeps it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import ConfigurationError, PathBusy, RegistryError
from registry_wsgi.storage import paths
from registry_wsgi.storage.garbage import Collected, collect
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.schema1 import SIGNED_TYPE, payload, sign, signer
from tests.stack import image_manifest, push_blob, push_image, stack_over

if TYPE_CHECKING:
    from pathlib import Path

    from webtest import TestApp

    from registry_wsgi.interfaces import StorageDriver
    from tests.dated import Clock

CTX = Context()
HOUR = 3600.0
CONFIG, LAYER, UNUSED = b"{}", b"layer", b"unused"


@pytest.fixture
def app(driver: StorageDriver) -> TestApp:
    return stack_over(driver)


def run(driver: StorageDriver, clock: Clock, **options: bool) -> Collected:
    """Collect two hours later what is older than one."""
    clock.pass_(2 * HOUR)
    return collect(CTX, Registry(driver), grace=HOUR, **options)


def has(app: TestApp, digest: Digest, name: str = "a") -> bool:
    return bool(app.head(f"/v2/{name}/blobs/{digest}", status="*").status_int == 200)


def put(app: TestApp, reference: str, manifest: bytes) -> Digest:
    headers = {"Content-Type": json.loads(manifest)["mediaType"]}
    app.put(f"/v2/a/manifests/{reference}", manifest, headers=headers, status=201)
    return Digest.of(manifest)


def index(*members: bytes) -> bytes:
    entries = [{"mediaType": mediatypes.OCI_MANIFEST, "digest": Digest.of(each), "size": len(each)} for each in members]
    return json.dumps({"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": entries}).encode()


def test_a_blob_that_no_manifest_uses_goes_with_its_links(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    push_image(app, "a", "v1", CONFIG, LAYER)
    unused = push_blob(app, "a", UNUSED)
    app.post(f"/v2/b/blobs/uploads/?mount={unused}&from=a", status=201)
    collected = run(driver, clock)
    assert collected.blobs == {unused: len(UNUSED)}
    assert collected.size == len(UNUSED)
    assert not has(app, unused)
    assert storages.children(driver, paths.layers("b") + "/sha256") == []
    assert app.get(f"/v2/a/blobs/{Digest.of(LAYER)}").body == LAYER
    assert app.get("/v2/a/manifests/v1").status_int == 200
    assert run(driver, clock).blobs == {}


def test_deleting_an_image_frees_its_space_and_no_other_s(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    gone = push_image(app, "a", "v1", CONFIG, LAYER)
    push_image(app, "b", "v1", CONFIG, b"another layer")
    app.delete(f"/v2/a/manifests/{gone}", status=202)
    assert set(run(driver, clock).blobs) == {gone, Digest.of(LAYER)}
    assert has(app, Digest.of(CONFIG), "b")


def test_what_is_young_is_kept_the_blob_or_one_of_its_links(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    old, mounted = push_blob(app, "a", UNUSED), push_blob(app, "a", LAYER)
    clock.pass_(2 * HOUR)
    app.post(f"/v2/b/blobs/uploads/?mount={mounted}&from=a", status=201)
    young = push_blob(app, "a", b"young")
    collected = collect(CTX, Registry(driver), grace=HOUR)
    assert set(collected.blobs) == {old}
    assert collected.recent == 2
    assert has(app, young)
    assert has(app, mounted, "b")


def test_a_dry_run_finds_the_same_and_deletes_nothing(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    untagged = put(app, "v1", image_manifest(push_blob(app, "a", CONFIG)))
    app.delete("/v2/a/manifests/v1", status=202)
    unused = push_blob(app, "a", UNUSED)
    found = run(driver, clock, dry_run=True, delete_untagged=True)
    assert set(found.blobs) == {unused, untagged, Digest.of(CONFIG)}
    assert found.manifests == [("a", untagged)]
    assert has(app, unused)
    assert app.get(f"/v2/a/manifests/{untagged}").status_int == 200
    assert collect(CTX, Registry(driver), grace=HOUR, delete_untagged=True) == found


def test_untagged_manifests_are_kept_unless_they_are_asked_for(
    app: TestApp, driver: StorageDriver, clock: Clock
) -> None:
    old, new = (put(app, "v1", image_manifest(push_blob(app, "a", each))) for each in (CONFIG, LAYER))
    assert run(driver, clock).blobs == {}
    collected = collect(CTX, Registry(driver), grace=HOUR, delete_untagged=True)
    assert collected.manifests == [("a", old)]
    assert set(collected.blobs) == {old, Digest.of(CONFIG)}
    assert app.get("/v2/a/manifests/v1").headers["Docker-Content-Digest"] == new
    app.get(f"/v2/a/manifests/{old}", status=404)


def test_a_young_untagged_manifest_is_kept_with_all_it_uses(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    config = push_blob(app, "a", CONFIG)
    clock.pass_(2 * HOUR)
    manifest = image_manifest(config)
    put(app, Digest.of(manifest), manifest)
    collected = collect(CTX, Registry(driver), grace=HOUR, delete_untagged=True)
    assert (collected.manifests, collected.blobs) == ([], {})


def test_an_index_keeps_its_members_and_a_subject_its_referrers(
    app: TestApp, driver: StorageDriver, clock: Clock
) -> None:
    member = image_manifest(push_blob(app, "a", LAYER))
    put(app, Digest.of(member), member)
    put(app, "v1", index(member))
    subject = {"mediaType": mediatypes.OCI_MANIFEST, "digest": Digest.of(member), "size": len(member)}
    signature = image_manifest(push_blob(app, "a", CONFIG), subject=subject)
    put(app, Digest.of(signature), signature)
    collected = run(driver, clock, delete_untagged=True)
    assert (collected.manifests, collected.blobs) == ([], {})
    app.delete("/v2/a/manifests/v1", status=202)
    collected = collect(CTX, Registry(driver), grace=HOUR, delete_untagged=True)
    assert {digest for _, digest in collected.manifests} == {
        Digest.of(each) for each in (member, signature, index(member))
    }
    assert set(collected.blobs) >= {Digest.of(LAYER), Digest.of(CONFIG)}
    assert app.get(f"/v2/a/referrers/{Digest.of(member)}").json["manifests"] == []


def test_a_member_that_was_pushed_as_a_blob_keeps_what_it_uses(
    app: TestApp, driver: StorageDriver, clock: Clock
) -> None:
    member = image_manifest(push_blob(app, "a", LAYER))
    push_blob(app, "a", member)
    put(app, "v1", index(member))
    assert run(driver, clock, delete_untagged=True).blobs == {}
    app.get(f"/v2/a/manifests/{Digest.of(member)}", status=200)


def test_a_manifest_that_release_2_1_0_linked_as_a_layer_keeps_what_it_uses(
    app: TestApp, driver: StorageDriver, clock: Clock
) -> None:
    manifest = image_manifest(push_blob(app, "a", LAYER))
    digest = push_blob(app, "a", manifest)
    driver.put_content(CTX, f"{paths.tags('a')}/v1/current/link", digest.encode())
    assert run(driver, clock, delete_untagged=True).blobs == {}


def test_content_that_is_named_by_another_algorithm_is_kept(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    used, unused = (Digest.of(content, "sha512") for content in (CONFIG, UNUSED))
    for digest, content in ((used, CONFIG), (unused, UNUSED)):
        app.post(f"/v2/a/blobs/uploads/?digest={digest}", content, status=201)
    put(app, "v1", image_manifest(used))
    assert set(run(driver, clock, delete_untagged=True).blobs) == {Digest.of(UNUSED)}
    assert has(app, used)
    assert not has(app, unused)
    assert len(driver.list(CTX, paths.layers("a") + "/sha512")) == 1


def test_a_digest_that_json_escapes_hide_is_found(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    config = push_blob(app, "a", CONFIG)
    put(app, "v1", image_manifest(config).replace(b"sha256:", b"\\u0073ha256:"))
    assert run(driver, clock).blobs == {}


def test_signatures_of_schema_1_stay_as_long_as_their_manifest(
    driver: StorageDriver, clock: Clock, tmp_path: Path
) -> None:
    signing = signer(tmp_path)
    app = stack_over(driver, signer=signing)
    manifest = sign(payload("a", [push_blob(app, "a", LAYER)]), signing)
    digest = Digest(app.put("/v2/a/manifests/v1", manifest, headers=SIGNED_TYPE).headers["Docker-Content-Digest"])
    assert run(driver, clock).blobs == {}
    app.delete(f"/v2/a/manifests/{digest}", status=202)
    assert len(run(driver, clock).blobs) == 3
    push_blob(app, "a", LAYER)
    app.put("/v2/a/manifests/v1", manifest, headers=SIGNED_TYPE, status=201)
    assert len(Registry(driver).repository("a").signatures.get(CTX, digest)) == 1


def test_a_repository_with_a_manifest_that_is_gone_keeps_all_it_has(
    app: TestApp, driver: StorageDriver, clock: Clock
) -> None:
    digest = push_image(app, "a", "v1", CONFIG, LAYER)
    elsewhere = push_blob(app, "b", UNUSED)
    driver.delete(CTX, paths.blob_data(digest))
    collected = run(driver, clock, delete_untagged=True)
    assert collected.unreadable == [("a", digest)]
    assert set(collected.blobs) == {elsewhere}
    assert has(app, Digest.of(LAYER))


def test_a_damaged_link_stops_it_before_anything_is_deleted(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    unused = push_blob(app, "a", UNUSED)
    driver.put_content(CTX, f"{paths.tags('a')}/v1/current/link", b"damaged")
    with pytest.raises(RegistryError, match="v1/current/link holds no digest"):
        run(driver, clock)
    assert has(app, unused)


def test_an_upload_in_progress_is_left_alone(app: TestApp, driver: StorageDriver, clock: Clock) -> None:
    location = app.post("/v2/a/blobs/uploads/").headers["Location"]
    app.patch(location, LAYER)
    run(driver, clock)
    app.put(f"{location}?digest={Digest.of(LAYER)}", status=201)
    assert has(app, Digest.of(LAYER))


def test_what_is_cached_is_not_believed_when_it_is_gone(driver: StorageDriver, clock: Clock) -> None:
    cache = InMemoryCacheProvider()
    app = stack_over(driver, cache=cache)
    unused = push_blob(app, "a", UNUSED)
    assert has(app, unused)
    clock.pass_(2 * HOUR)
    collect(CTX, Registry(driver, cache=cache), grace=HOUR)
    assert not has(app, unused)


def test_an_empty_store_has_nothing_to_collect(driver: StorageDriver, clock: Clock) -> None:
    assert run(driver, clock) == Collected()


def test_a_grace_of_less_than_an_hour_needs_nobody_else_to_be_there(
    app: TestApp, driver: StorageDriver, clock: Clock
) -> None:
    unused = push_blob(app, "a", UNUSED)
    with pytest.raises(ConfigurationError, match="an hour or more while the registry serves, not 3599 s"):
        collect(CTX, Registry(driver), grace=HOUR - 1)
    clock.pass_(1)
    assert set(collect(CTX, Registry(driver), grace=0, offline=True).blobs) == {unused}


def test_one_collects_at_a_time(driver: StorageDriver) -> None:
    held = driver.writer(CTX, paths.COLLECTION_TURN)
    with pytest.raises(PathBusy):
        collect(CTX, Registry(driver), grace=HOUR)
    held.close()
    collect(CTX, Registry(driver), grace=HOUR)

"""Random sequences of pushes, mounts, tags and deletes: after each the registry has what a dictionary has.

Where there is a cache, two registries with one each stand on the same storage and take turns, as the
processes of one server do: what one deleted the other must not serve from memory.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from tests import storages, wire
from tests.api.inprocess import InProcess
from tests.conformance.target import SBOM, SIGNATURE, digest_of, referrer_tag
from tests.fuzz.model import ALIAS, Manifest, Repository
from tests.stack import stack_over

if TYPE_CHECKING:
    from registry_wsgi.interfaces import StorageDriver

NAMES = ["a", "a-b", "a/b"]
CONTENTS = [b"", b"{}", b"one", b"two", b"three" * 50]
TAGS = ["v1", "V1", "v10", "latest", "_"]
TYPES = ["", SBOM, SIGNATURE]

names = st.sampled_from([*NAMES, *NAMES[:1] * 3])  # much of what is done has to be done in one place
contents = st.sampled_from(CONTENTS)
tags = st.sampled_from(TAGS)
algorithms = st.sampled_from(["sha256", "sha256", ALIAS])


class RegistryMachine(RuleBasedStateMachine):
    """Every rule sends one request, or a few that belong together, and tells the model what must come of it."""

    kind = "inmemory"
    cached = True

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="registry-fuzz-"))
        self.clients = [
            InProcess(stack_over(driver, cache=InMemoryCacheProvider() if self.cached else None))
            for driver in self._drivers()
        ]
        self.repositories = {name: Repository() for name in NAMES}
        self.turn = 0
        # Manifests that were ever made, to push, pull and delete them again.
        self.made: list[Manifest] = []

    def _drivers(self) -> list[StorageDriver]:
        """Return a driver for each of two processes; what is in memory they share."""
        driver = storages.driver_at(self.directory, self.kind)
        return [driver, driver if self.kind == "inmemory" else storages.driver_at(self.directory, self.kind)]

    def teardown(self) -> None:
        try:
            self.everything_is_there()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def client(self) -> InProcess:
        """The two registries in turn."""
        self.turn += 1
        return self.clients[self.turn % 2]

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> wire.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.request(method, path, body, named)
        assert answer.status < 500, (method, path, answer)
        if answer.status >= 400 and method != "HEAD":
            assert answer.json()["errors"], answer
        return answer

    @initialize(content=contents)
    def push_an_image(self, content: bytes) -> None:
        """Begin with something that can be tagged, referred to, mounted and deleted."""
        self.push_a_blob_whole(NAMES[0], content, "sha256", single=False)
        config = {"mediaType": "application/x", "size": len(content), "digest": digest_of(content)}
        document = {"schemaVersion": 2, "mediaType": mediatypes.OCI_MANIFEST, "config": config, "layers": []}
        manifest = Manifest(json.dumps(document).encode())
        self.made.append(manifest)
        self._put(NAMES[0], manifest, manifest.digest, [TAGS[0]])

    # ── blobs ──

    @rule(name=names, content=contents, algorithm=algorithms, single=st.booleans())
    def push_a_blob_whole(self, name: str, content: bytes, algorithm: str, single: bool) -> None:
        digest = digest_of(content, algorithm)
        if single and content:
            answer = self.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", content)
        else:
            location = self.ask("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
            answer = self.ask("PUT", wire.with_query(location, digest=digest), content)
        assert (answer.status, answer.digest) == (201, digest)
        self.repositories[name].add_blob(content, digest)

    @rule(name=names, content=contents, other=contents)
    def push_a_blob_with_the_digest_of_another(self, name: str, content: bytes, other: bytes) -> None:
        if content == other:
            return
        location = self.ask("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
        answer = self.ask("PUT", wire.with_query(location, digest=digest_of(other)), content)
        assert answer.status == 400
        assert self.ask("GET", location).status == 404

    @rule(name=names)
    def start_an_upload(self, name: str) -> None:
        uploads = self.repositories[name].uploads
        if len(uploads) < 3:
            uploads[self.ask("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]] = b""

    def _upload(self, data: st.DataObject) -> tuple[Repository, str]:
        open_ones = [(repository, each) for repository in self.repositories.values() for each in repository.uploads]
        return data.draw(st.sampled_from(open_ones))

    def uploading(self) -> bool:
        return any(repository.uploads for repository in self.repositories.values())

    @precondition(uploading)
    @rule(data=st.data(), chunk=st.binary(max_size=20), said=st.booleans())
    def send_a_chunk(self, data: st.DataObject, chunk: bytes, said: bool) -> None:
        repository, location = self._upload(data)
        begin = len(repository.uploads[location])
        headers = {"Content_Range": f"{begin}-{begin + len(chunk) - 1}"} if said and chunk else {}
        answer = self.ask("PATCH", location, chunk, **headers)
        assert answer.status == 202
        repository.uploads[location] += chunk
        self._check_status(answer, repository, location)

    @precondition(uploading)
    @rule(data=st.data(), chunk=st.binary(min_size=1, max_size=20), off=st.integers(min_value=-20, max_value=20))
    def send_a_chunk_out_of_order(self, data: st.DataObject, chunk: bytes, off: int) -> None:
        repository, location = self._upload(data)
        begin = len(repository.uploads[location]) + off
        if off == 0 or begin < 0:
            return
        answer = self.ask("PATCH", location, chunk, Content_Range=f"{begin}-{begin + len(chunk) - 1}")
        assert answer.status == 416
        self._check_status(answer, repository, location)

    @precondition(uploading)
    @rule(data=st.data())
    def ask_for_an_upload(self, data: st.DataObject) -> None:
        repository, location = self._upload(data)
        answer = self.ask("GET", location)
        assert answer.status == 204
        self._check_status(answer, repository, location)

    def _check_status(self, answer: wire.Response, repository: Repository, location: str) -> None:
        assert answer.headers["Range"] == f"0-{max(0, len(repository.uploads[location]) - 1)}"
        assert answer.headers["Location"] == location

    @precondition(uploading)
    @rule(data=st.data(), last=st.binary(max_size=20), algorithm=algorithms)
    def finish_an_upload(self, data: st.DataObject, last: bytes, algorithm: str) -> None:
        repository, location = self._upload(data)
        content = repository.uploads.pop(location) + last
        digest = digest_of(content, algorithm)
        answer = self.ask("PUT", wire.with_query(location, digest=digest), last)
        assert (answer.status, answer.digest) == (201, digest)
        repository.add_blob(content, digest)

    @precondition(uploading)
    @rule(data=st.data())
    def cancel_an_upload(self, data: st.DataObject) -> None:
        repository, location = self._upload(data)
        assert self.ask("DELETE", location).status == 204
        del repository.uploads[location]
        assert self.ask("GET", location).status == 404

    @rule(name=names, source=st.sampled_from(["", *NAMES]), data=st.data())
    def mount_a_blob(self, name: str, source: str, data: st.DataObject) -> None:
        digest = self._blob_digest(source or NAMES[0], data)
        query = f"mount={digest}" + (f"&from={source}" if source else "")
        answer = self.ask("POST", f"/v2/{name}/blobs/uploads/?{query}")
        found = [self.repositories[each].blob(digest) for each in ([source] if source else NAMES)]
        content = next((each for each in found if each is not None), None)
        if content is None:
            assert answer.status == 202
            assert self.ask("DELETE", answer.headers["Location"]).status == 204
        else:
            assert (answer.status, answer.digest) == (201, digest)
            self.repositories[name].add_blob(content, digest)

    @rule(name=names, data=st.data())
    def delete_a_blob(self, name: str, data: st.DataObject) -> None:
        digest = self._blob_digest(name, data)
        answer = self.ask("DELETE", f"/v2/{name}/blobs/{digest}")
        assert answer.status == (202 if self.repositories[name].delete_blob(digest) else 404)
        self._check_blob(name, digest)

    @rule(name=names, data=st.data(), begin=st.integers(0, 40), length=st.integers(1, 40))
    def pull_a_part_of_a_blob(self, name: str, data: st.DataObject, begin: int, length: int) -> None:
        digest = self._blob_digest(name, data)
        content = self.repositories[name].blob(digest)
        answer = self.ask("GET", f"/v2/{name}/blobs/{digest}", Range=f"bytes={begin}-{begin + length - 1}")
        if content is None:
            assert answer.status == 404
        elif begin >= len(content):
            assert answer.status == 416
        else:
            assert (answer.status, answer.body) == (206, content[begin : begin + length])

    @rule(name=names, data=st.data())
    def pull_a_blob(self, name: str, data: st.DataObject) -> None:
        self._check_blob(name, self._blob_digest(name, data))

    def _blob_digest(self, name: str, data: st.DataObject) -> str:
        """Return the digest of a blob that more often than not is one of the repository's."""
        known = {content for repository in self.repositories.values() for content in repository.blobs.values()}
        own = sorted(self.repositories[name].blobs.values())
        content = data.draw(st.sampled_from([*own * 4, *sorted({*known, *CONTENTS})]))
        return digest_of(content, data.draw(algorithms))

    def _check_blob(self, name: str, digest: str) -> None:
        content = self.repositories[name].blob(digest)
        for method in ("GET", "HEAD"):
            answer = self.ask(method, f"/v2/{name}/blobs/{digest}")
            if content is None:
                assert answer.status == 404
            else:
                assert (answer.status, answer.digest) == (200, digest)
                assert answer.headers["Content-Length"] == str(len(content))
                assert answer.body == (content if method == "GET" else b"")

    # ── manifests ──

    @rule(name=names, data=st.data(), kind=st.sampled_from(["image", "index"]), artifact_type=st.sampled_from(TYPES))
    def push_a_manifest(self, name: str, data: st.DataObject, kind: str, artifact_type: str) -> None:
        manifest = self._new_manifest(name, data, kind, artifact_type)
        self.made.append(manifest)
        self._push(name, manifest, data)

    @rule(name=names, data=st.data())
    def push_a_manifest_again(self, name: str, data: st.DataObject) -> None:
        self._push(name, data.draw(st.sampled_from(self.made)), data)

    def _new_manifest(self, name: str, data: st.DataObject, kind: str, artifact_type: str) -> Manifest:
        """Make a manifest that more often than not the repository has all the content of."""
        repository = self.repositories[name]
        document: dict[str, object] = {"schemaVersion": 2, "n": data.draw(st.integers(0, 3))}
        if kind == "image":
            blobs = sorted(repository.blobs.values())
            chosen = data.draw(st.lists(st.sampled_from([*blobs * 9, b"two"]), min_size=1, max_size=3))
            config, *layers = (
                {"mediaType": "application/x", "size": len(each), "digest": digest_of(each)} for each in chosen
            )
            document |= {"mediaType": mediatypes.OCI_MANIFEST, "config": config, "layers": layers}
        else:
            made = [*list(repository.manifests.values()) * 9, self.made[-1]]
            children = data.draw(st.lists(st.sampled_from(made), max_size=2))
            entries = [
                {"mediaType": each.media_type, "size": len(each.payload), "digest": each.digest} for each in children
            ]
            document |= {"mediaType": mediatypes.OCI_INDEX, "manifests": entries}
        if artifact_type:
            document["artifactType"] = artifact_type
        if data.draw(st.booleans()):
            subject = data.draw(st.sampled_from(self.made))
            document["subject"] = {"mediaType": subject.media_type, "size": 1, "digest": subject.digest}
        return Manifest(json.dumps(document, indent=1).encode())

    def _push(self, name: str, manifest: Manifest, data: st.DataObject) -> None:
        pushed = data.draw(st.lists(tags, max_size=3, unique=True))
        if manifest.media_type == mediatypes.OCI_INDEX and data.draw(st.booleans()):
            # The tag that clients keep referrers under where a registry has no list of them.
            pushed.append(referrer_tag(data.draw(st.sampled_from(self.made)).digest))
        self._put(name, manifest, digest_of(manifest.payload, data.draw(algorithms)), pushed)

    def _put(self, name: str, manifest: Manifest, digest: str, pushed: list[str]) -> None:
        """Push by the only tag, or else by digest with the tags in the query."""
        if len(pushed) == 1:
            digest, path = manifest.digest, pushed[0]
        else:
            path = "?".join(filter(None, (digest, "&".join(f"tag={tag}" for tag in pushed))))
        answer = self.ask("PUT", f"/v2/{name}/manifests/{path}", manifest.payload, Content_Type=manifest.media_type)
        missing = self.repositories[name].lacks(manifest)
        if missing:
            assert answer.status == 400
            errors = answer.json()["errors"]
            assert {error["code"] for error in errors} == {"MANIFEST_BLOB_UNKNOWN"}
            assert {error["detail"] for error in errors} == missing
            return
        assert (answer.status, answer.digest) == (201, digest), answer
        assert answer.headers["OCI-Subject"] == (manifest.subject or None)
        self.repositories[name].add_manifest(manifest, digest, pushed)

    @rule(name=names, data=st.data())
    def pull_a_manifest(self, name: str, data: st.DataObject) -> None:
        self._check_manifest(name, data.draw(st.one_of(tags, st.just(self._manifest_digest(name, data)))))

    @rule(name=names, data=st.data())
    def delete_a_manifest(self, name: str, data: st.DataObject) -> None:
        digest = self._manifest_digest(name, data)
        answer = self.ask("DELETE", f"/v2/{name}/manifests/{digest}")
        assert answer.status == (202 if self.repositories[name].delete_manifest(digest) else 404)
        self._check_manifest(name, digest)

    @rule(name=names, tag=tags)
    def delete_a_tag(self, name: str, tag: str) -> None:
        answer = self.ask("DELETE", f"/v2/{name}/manifests/{tag}")
        assert answer.status == (202 if self.repositories[name].tags.pop(tag, None) else 404)
        self._check_manifest(name, tag)

    def _manifest_digest(self, name: str, data: st.DataObject) -> str:
        """Return the digest of a manifest that more often than not is one of the repository's."""
        own = list(self.repositories[name].manifests.values())
        return digest_of(data.draw(st.sampled_from([*own * 4, *self.made])).payload, data.draw(algorithms))

    def _check_manifest(self, name: str, reference: str) -> None:
        manifest = self.repositories[name].manifest(reference)
        for method in ("GET", "HEAD"):
            answer = self.ask(method, f"/v2/{name}/manifests/{reference}")
            if manifest is None:
                assert answer.status == 404
                continue
            assert answer.status == 200
            assert answer.digest in (reference, manifest.digest, digest_of(manifest.payload, ALIAS))
            assert answer.headers["Content-Length"] == str(len(manifest.payload))
            assert answer.headers["Content-Type"] == manifest.media_type
            assert answer.body == (manifest.payload if method == "GET" else b"")

    # ── lists ──

    @rule(name=names, n=st.integers(1, 4))
    def list_tags(self, name: str, n: int) -> None:
        repository = self.repositories[name]
        answer = self.ask("GET", f"/v2/{name}/tags/list")
        if not repository.known:
            assert answer.status == 404
            return
        expected = sorted(repository.tags)
        assert answer.json() == {"name": name, "tags": expected}
        assert self._pages(f"/v2/{name}/tags/list?n={n}", "tags", n) == expected

    @rule(n=st.integers(1, 4))
    def list_repositories(self, n: int) -> None:
        expected = sorted((name for name in NAMES if self.repositories[name].known), key=lambda name: name.split("/"))
        assert self._pages(f"/v2/_catalog?n={n}", "repositories", n) == expected

    def _pages(self, path: str, member: str, n: int) -> list[str]:
        found: list[str] = []
        while path:
            answer = self.ask("GET", path)
            page = answer.json()[member]
            assert len(page) <= n
            found += page
            path = (answer.headers["Link"] or "").partition(">")[0].lstrip("<")
        return found

    @rule(name=names, data=st.data(), artifact_type=st.sampled_from(TYPES))
    def list_referrers(self, name: str, data: st.DataObject, artifact_type: str) -> None:
        self._check_referrers(name, self._manifest_digest(name, data), artifact_type)

    def _check_referrers(self, name: str, digest: str, artifact_type: str = "") -> None:
        query = f"?artifactType={artifact_type}" if artifact_type else ""
        answer = self.ask("GET", f"/v2/{name}/referrers/{digest}{query}")
        listed = sorted(answer.json()["manifests"], key=lambda entry: entry["digest"])
        assert (answer.status, listed) == (200, self.repositories[name].referrers(digest, artifact_type))

    def everything_is_there(self) -> None:
        for name, repository in self.repositories.items():
            for content in {*CONTENTS, *repository.blobs.values()}:
                for algorithm in ("sha256", ALIAS):
                    self._check_blob(name, digest_of(content, algorithm))
            for manifest in self.made:
                for algorithm in ("sha256", ALIAS):
                    self._check_manifest(name, digest_of(manifest.payload, algorithm))
                self._check_referrers(name, manifest.digest)
            for tag in {*TAGS, *repository.tags}:
                self._check_manifest(name, tag)
            for location in repository.uploads:
                self._check_status(self.ask("GET", location), repository, location)


STACKS = [
    pytest.param(kind, cached, id=f"{kind}-{'cached' if cached else 'plain'}")
    for kind in storages.kinds()
    for cached in (True, False)
]


def run(kind: str, cached: bool, **profile: object) -> None:
    machine = type("Machine", (RegistryMachine,), {"kind": kind, "cached": cached})
    chosen = settings(suppress_health_check=list(HealthCheck), **profile)  # type: ignore[arg-type]
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.parametrize(("kind", "cached"), STACKS)
def test_after_any_sequence_of_requests_the_registry_has_what_it_was_given(kind: str, cached: bool) -> None:
    # The same sequences every time: what `make test` says must not depend on luck. Nor is a failure made
    # smaller, which takes minutes; `make soak` does that.
    few = {"max_examples": 30, "stateful_step_count": 40, "derandomize": True, "database": None}
    run(kind, cached, **few, phases=[Phase.generate])


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "cached"), STACKS)
def test_after_any_long_sequence_of_requests_the_registry_has_what_it_was_given(kind: str, cached: bool) -> None:
    run(kind, cached, max_examples=400, stateful_step_count=120)

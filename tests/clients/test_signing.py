"""cosign and Notation sign here and verify here, oras attaches, and the signature service lists what signs an image."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.sid import require
from tests.stack import image_manifest
from tests.wire import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.servers import Server

NAME = "signed/image"
CLIENT_SECONDS = 120

# No transparency log can be reached, and none is needed: the key is known.
COSIGN_SIGN = ("--yes", "--key", "cosign.key", "--use-signing-config=false", "--tlog-upload=false")
COSIGN_VERIFY = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true")
LEGACY = "--new-bundle-format=false"

TRUST_POLICY = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": "everything",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:registry.test"],
            "trustedIdentities": ["*"],
        }
    ],
}


@dataclass
class Image:
    """An image in a registry, and someone who signs it from a machine of their own."""

    server: Server
    directory: Path
    data: Path
    digest: str

    @property
    def reference(self) -> str:
        return f"{self.server.host}/{NAME}@{self.digest}"

    def run(self, program: str, *arguments: str, fails: bool = False) -> str:
        """Run a client and return its output, of a failure what it said."""
        home = self.directory / "home"
        private = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "COSIGN_PASSWORD": "secret"}
        run = subprocess.run(
            [require(program), *arguments],
            cwd=self.directory,
            env=os.environ | private,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS,
            check=False,
        )
        assert (run.returncode != 0) is fails, f"{program} {' '.join(arguments)}:\n{run.stdout}{run.stderr}"
        return run.stderr if fails else run.stdout

    def cosign_sign(self, *options: str) -> None:
        if not (self.directory / "cosign.key").exists():
            self.run("cosign", "generate-key-pair")
        self.run("cosign", "sign", *COSIGN_SIGN, *options, self.reference)

    def attached(self) -> list[tuple[str, str]]:
        """Return kind and digest of what the signature service of this process lists, over the same directory."""
        repository = Registry(storages.driver_at(self.data)).repository(NAME)
        found = repository.signatures.attached(Context(), Digest.parse(self.digest))
        for each in found:
            assert repository.manifests.exists(Context(), each.descriptor.digest)
        return [(each.kind, each.descriptor.digest) for each in found]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.attached()]


@pytest.fixture
def image(serve: Serve, tmp_path: Path) -> Image:
    server = serve(tmp_path / "data")
    (tmp_path / "home").mkdir()
    client = Client(server.url)
    payload = image_manifest(Digest(client.push_blob(NAME, b"{}")), size=2)
    digest = client.push_manifest(NAME, "v1", payload, json.loads(payload)["mediaType"])
    return Image(server, tmp_path, tmp_path / "data", digest)


def test_what_cosign_signs_it_verifies_and_the_service_lists(image: Image) -> None:
    image.run("cosign", "generate-key-pair")
    image.run("cosign", *COSIGN_VERIFY, image.reference, fails=True)
    image.cosign_sign()
    assert image.digest in image.run("cosign", *COSIGN_VERIFY, image.reference)
    assert image.kinds() == ["cosign"]
    assert Client(image.server.url).tags(NAME).json()["tags"] == ["v1"]


def test_what_cosign_signs_in_its_older_form_is_found_by_its_tag(image: Image) -> None:
    image.cosign_sign(LEGACY)
    assert image.digest in image.run("cosign", *COSIGN_VERIFY, LEGACY, image.reference)
    tag = image.digest.replace(":", "-") + ".sig"
    assert Client(image.server.url).tags(NAME).json()["tags"] == [tag, "v1"]
    assert image.attached() == [("cosign", Client(image.server.url).manifest(NAME, tag).digest)]


def test_an_attestation_of_cosign_is_no_signature(image: Image) -> None:
    image.cosign_sign()
    (image.directory / "predicate.json").write_text('{"built": "here"}')
    image.run("cosign", "attest", *COSIGN_SIGN, "--predicate", "predicate.json", "--type", "custom", image.reference)
    assert len(Client(image.server.url).request("GET", f"/v2/{NAME}/referrers/{image.digest}").json()["manifests"]) == 2
    assert image.kinds() == ["cosign"]


def test_what_notation_signs_it_verifies_and_the_service_lists(image: Image) -> None:
    image.run("notation", "cert", "generate-test", "--default", "registry.test")
    (image.directory / "policy.json").write_text(json.dumps(TRUST_POLICY))
    image.run("notation", "policy", "import", "policy.json")
    image.run("notation", "verify", "--insecure-registry", image.reference, fails=True)
    image.run("notation", "sign", "--insecure-registry", image.reference)
    image.run("notation", "verify", "--insecure-registry", image.reference)
    ((kind, signature),) = image.attached()
    assert kind == "notation"
    assert signature in image.run("notation", "ls", "--insecure-registry", image.reference)


def test_all_signatures_of_an_image_are_listed_and_what_oras_attaches_is_none(image: Image) -> None:
    (image.directory / "sbom.txt").write_text("salt, bread\n")
    attach = ("attach", "--plain-http", "--artifact-type", "application/vnd.example.sbom")
    image.run("oras", *attach, image.reference, "sbom.txt")
    assert image.attached() == []

    image.run("notation", "cert", "generate-test", "--default", "registry.test")
    for _ in range(2):
        image.run("notation", "sign", "--insecure-registry", image.reference)
    image.cosign_sign()
    image.cosign_sign(LEGACY)
    assert sorted(image.kinds()) == ["cosign", "cosign", "notation", "notation"]
    discovered = image.run("oras", "discover", "--plain-http", "--format", "json", image.reference)
    listed = {referrer["digest"] for referrer in json.loads(discovered)["referrers"]}
    # oras knows nothing of cosign's tag: the service found one signature more, and the SBOM is none.
    assert len(listed) == 4
    assert len(listed & {digest for _, digest in image.attached()}) == 3


def test_a_signature_that_is_deleted_is_listed_no_longer(image: Image) -> None:
    image.cosign_sign()
    ((_, signature),) = image.attached()
    assert Client(image.server.url).delete(NAME, "manifests", signature) == 202
    assert image.attached() == []
    image.run("cosign", *COSIGN_VERIFY, image.reference, fails=True)

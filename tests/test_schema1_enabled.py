"""What `compatibility.schema1` in the configuration does, and what of it needs the package `cryptography`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import config
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.manifests import keys
from registry_wsgi.wiring.registry import create_registry
from tests.compat import trees
from tests.schema1 import KINDS, key, payload, pem, signer

if TYPE_CHECKING:
    from pathlib import Path


def configuration(**schema1: Any) -> config.Configuration:
    return config.load({"storage": {"inmemory": {}}, "compatibility": {"schema1": schema1}})


def test_schema_1_is_off_unless_it_is_asked_for() -> None:
    for schema1 in ({}, {"enabled": False}):
        assert create_registry(configuration(**schema1)).signer is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_of_the_file_signs(kind: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(kind))
    found = create_registry(configuration(enabled=True, signingkeyfile=str(tmp_path / "key.pem"))).signer
    assert found is not None
    assert keys.fingerprint(key(kind).public_key()).encode() in found.sign(payload("a", []))


def test_without_a_file_every_start_has_a_key_of_its_own() -> None:
    first, second = (create_registry(configuration(enabled=True)).signer for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.sign(payload("a", [])) != second.sign(payload("a", []))


@pytest.mark.parametrize(("content", "reason"), [(b"no key", "PEM"), (None, "No such file")])
def test_a_file_without_a_key_is_one_line_at_start_up(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason) as raised:
        create_registry(configuration(enabled=True, signingkeyfile=str(path)))
    assert str(raised.value).startswith("compatibility.schema1.signingkeyfile: ")
    assert "\n" not in str(raised.value)


def test_a_key_without_effect_is_a_warning() -> None:
    (warning,) = configuration(signingkeyfile="/some/key").warnings
    assert "only with compatibility.schema1.enabled" in warning


PROGRAM = """
import sys
sys.modules["cryptography"] = None  # as if it were not installed
from registry_wsgi import config
from registry_wsgi.wiring.registry import create_registry
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.storage.registry import Registry

document = {"storage": {"filesystem": {"rootdirectory": sys.argv[1]}}}
repository = create_registry(config.load(document)).repository("library/hello")
descriptor, manifest = repository.manifests.get(Context(), repository.tags.get(Context(), "old"))
print(len(manifest.signatures), descriptor.media_type)
try:
    create_registry(config.load(document | {"compatibility": {"schema1": {"enabled": True}}}))
except ConfigurationError as error:
    print(error)
"""


def test_pulling_needs_no_cryptography_and_enabling_says_that_it_does(tmp_path: Path) -> None:
    trees.make(tmp_path / "data", "2.2", [signer(tmp_path), signer(tmp_path, "RSA")])
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "data")]
    pulled, refused = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert pulled == "2 application/vnd.docker.distribution.manifest.v1+prettyjws"
    assert refused.startswith("compatibility.schema1.enabled: needs the package cryptography")

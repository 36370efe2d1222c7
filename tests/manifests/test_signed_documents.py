"""Signatures inside of the document that they sign: cutting, assembling, verifying, and no way around it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as some

from registry_wsgi import mediatypes
from registry_wsgi.errors import ManifestInvalid, ManifestUnverified
from registry_wsgi.manifests import jws, keys, parse
from registry_wsgi.manifests.signing import LibtrustSigner
from tests.schema1 import KINDS, key, payload, pem, sign, signer
from tests.wire import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from registry_wsgi.interfaces import Manifest

PAYLOAD = payload("a/b", [digest_of(b"layer")])
SIGNER = LibtrustSigner()


def read(signed: bytes) -> Manifest:
    """Return the manifest of a document whose signatures verify."""
    manifest = parse(signed, mediatypes.SCHEMA1_SIGNED)
    SIGNER.verify(manifest)
    return manifest


def changed(signed: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the document with a change of its only signature, assembled anew."""
    document = json.loads(signed)
    change(document["signatures"][0])
    return json.dumps(document, indent=3).encode()


# ── the form ──────────────────────────────────────────────────────────────────────────────────


def test_the_fingerprint_of_a_key_is_libtrusts() -> None:
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": "m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q",
        "y": "dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc",
    }
    fingerprint = "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6"
    assert keys.fingerprint(keys.from_header({"jwk": jwk})) == fingerprint
    assert keys.to_jwk(keys.from_header({"jwk": jwk})) == jwk | {"kid": fingerprint}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_signed_verifies_and_comes_back_byte_by_byte(kind: str, tmp_path: Path) -> None:
    signed = sign(PAYLOAD, signer(tmp_path, kind))
    manifest = read(signed)
    assert manifest.payload == PAYLOAD
    assert manifest.content == signed == jws.assemble(manifest.payload, manifest.signatures)
    assert [reference.digest for reference in manifest.references] == [digest_of(b"layer")]


def test_the_signatures_stand_indented_as_the_payload_is() -> None:
    lines = sign(PAYLOAD, SIGNER).decode().splitlines()
    start = lines.index('   "signatures": [')
    assert PAYLOAD.decode().splitlines()[:-2] == lines[: start - 1]
    assert lines[start - 1 : start + 4] == [
        "   ],",
        '   "signatures": [',
        "      {",
        '         "header": {',
        '            "jwk": {',
    ]
    assert lines[-2:] == ["   ]", "}"]


def test_a_payload_without_indentation_gets_signatures_without_any() -> None:
    compact = json.dumps(json.loads(PAYLOAD), separators=(",", ":")).encode()
    signed = sign(compact, SIGNER)
    assert signed.startswith(compact[:-1] + b',"signatures":[{"header":{"jwk":{"crv":')
    assert b"\n" not in signed
    assert read(signed).payload == compact


@pytest.mark.parametrize("tail", [b"}", b"\n}", b" \t\r\n}", b"\n}\n", b"}  "])
def test_what_stands_at_the_end_of_the_payload_is_kept(tail: bytes) -> None:
    content = PAYLOAD.rstrip(b"}\n") + tail
    assert read(sign(content, SIGNER)).payload == content


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"", b"{ }", b'{"a": 1,}'])
def test_what_has_no_members_cannot_be_signed(content: bytes) -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        SIGNER.sign(content)


def test_a_stored_signature_is_compact_json_in_a_fixed_order() -> None:
    document = json.loads(sign(PAYLOAD, SIGNER))["signatures"][0]
    shuffled = dict(reversed(document.items())) | {"more": 1}
    shuffled["header"] = dict(reversed([*document["header"].items(), ("typ", "JWS")]))
    signed = json.dumps(json.loads(PAYLOAD) | {"signatures": [shuffled]}, indent=3).encode()
    assert read(signed).signatures == (SIGNER.sign(PAYLOAD),)
    assert SIGNER.sign(PAYLOAD).startswith(b'{"header":{"jwk":{"crv":"P-256","kid":"')


def test_one_signer_signs_one_payload_always_with_the_same_bytes() -> None:
    assert SIGNER.sign(PAYLOAD) == SIGNER.sign(PAYLOAD)


def test_signatures_are_ordered_by_key(tmp_path: Path) -> None:
    signers = [signer(tmp_path, "P-256", number) for number in range(4)]
    documents = {sign(PAYLOAD, *order) for order in (signers, signers[::-1], signers[2:] + signers[:2])}
    assert len(documents) == 1
    ids = [each["header"]["jwk"]["kid"] for each in json.loads(documents.pop())["signatures"]]
    assert ids == sorted(ids)


def test_a_signature_that_cuts_elsewhere_does_not_spoil_the_document() -> None:
    """Pushers with other tools may cut the same payload elsewhere; side by side no client could read the two."""
    split = jws.Split(len(PAYLOAD.rstrip(b"}\n")) + 1, b"}")
    protected = jws.protect(split, "2015-01-01T00:00:00Z")
    algorithm, signature = keys.sign(key("P-256"), jws.signing_input(protected, PAYLOAD))
    other = jws.signature_object(
        {"jwk": keys.to_jwk(key("P-256").public_key()), "alg": algorithm}, signature, protected
    )
    for first, second in ((SIGNER.sign(PAYLOAD), other), (other, SIGNER.sign(PAYLOAD))):
        manifest = read(jws.assemble(PAYLOAD, [first, second]))
        assert (manifest.payload, manifest.signatures) == (PAYLOAD, (first,))


# ── what is refused ───────────────────────────────────────────────────────────────────────────


def test_what_is_outside_of_the_payload_is_not_believed() -> None:
    signed = sign(PAYLOAD, SIGNER)
    spoofed = signed.replace(b',\n   "signatures"', b',\n   "name": "else/where",\n   "signatures"')
    assert json.loads(spoofed)["name"] == "else/where"
    assert read(spoofed).payload == PAYLOAD


@pytest.mark.parametrize(
    ("member", "value"),
    [("formatLength", 10**9), ("formatLength", -1), ("formatLength", True), ("formatLength", "9"), ("formatTail", 1)],
)
def test_a_protected_header_that_makes_no_sense_is_invalid(member: str, value: object) -> None:
    def change(signature: dict[str, Any]) -> None:
        protected = json.loads(jws.decode(signature["protected"])) | {member: value}
        signature["protected"] = jws.encode(json.dumps(protected).encode())

    with pytest.raises(ManifestInvalid):
        read(changed(sign(PAYLOAD, SIGNER), change))


@pytest.mark.parametrize("protected", ["", "!", "e30", jws.encode(b"[" * 100_000), jws.encode(b"\xff"), "e31="])
def test_a_protected_header_that_cannot_be_read_is_invalid(protected: str) -> None:
    with pytest.raises(ManifestInvalid):
        read(changed(sign(PAYLOAD, SIGNER), lambda signature: signature.update(protected=protected)))


@pytest.mark.parametrize(
    "signatures", [None, [], {}, [None], [{}], [{"header": {}}], [{"header": {}, "signature": "a"}]]
)
def test_a_manifest_without_signatures_is_invalid(signatures: object) -> None:
    document = json.loads(PAYLOAD) | {"signatures": signatures}
    with pytest.raises(ManifestInvalid, match="signature"):
        read(json.dumps(document).encode())


def test_more_signatures_than_anyone_makes_are_refused() -> None:
    document = json.loads(sign(PAYLOAD, SIGNER))
    document["signatures"] *= jws.MOST_SIGNATURES + 1
    with pytest.raises(ManifestInvalid, match="at most 64"):
        read(json.dumps(document, indent=3).encode())


def test_a_payload_with_signatures_of_its_own_is_invalid() -> None:
    with pytest.raises(ManifestInvalid, match="of its own"):
        read(sign(sign(PAYLOAD, SIGNER), SIGNER))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES384", "ES512", "RS256", "", None, 1, ["ES256"]])
def test_the_algorithm_must_be_the_keys_own(algorithm: object) -> None:
    with pytest.raises(ManifestUnverified, match="does not sign with"):
        read(changed(sign(PAYLOAD, SIGNER), lambda signature: signature["header"].update(alg=algorithm)))


def test_an_rsa_key_does_not_sign_as_another_kind(tmp_path: Path) -> None:
    signed = sign(PAYLOAD, signer(tmp_path, "RSA"))
    for algorithm in ("none", "HS256", "ES256", "PS256"):
        with pytest.raises(ManifestUnverified, match="does not sign with"):
            read(changed(signed, lambda signature, alg=algorithm: signature["header"].update(alg=alg)))


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-192", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "RSA", "n": "AQ", "e": "AQAB"},
        {"kty": "RSA", "n": jws.encode(b"\xff" * 5000), "e": "AQAB"},
        {"kty": "RSA", "n": jws.encode(b"\xff" * 256), "e": jws.encode(b"\xff" * 250)},
    ],
)
def test_a_signature_without_a_key_that_may_sign_does_not_verify(jwk: object) -> None:
    with pytest.raises(ManifestUnverified):
        read(changed(sign(PAYLOAD, SIGNER), lambda signature: signature["header"].update(jwk=jwk)))


def test_a_key_id_must_be_the_keys_fingerprint_and_may_be_absent() -> None:
    signed = sign(PAYLOAD, SIGNER)
    assert read(changed(signed, lambda signature: signature["header"]["jwk"].pop("kid"))).payload == PAYLOAD
    with pytest.raises(ManifestUnverified, match="fingerprint"):
        read(changed(signed, lambda signature: signature["header"]["jwk"].update(kid="AAAA:BBBB")))


def test_each_of_several_signatures_must_verify(tmp_path: Path) -> None:
    good, bad = json.loads(SIGNER.sign(PAYLOAD)), json.loads(signer(tmp_path).sign(PAYLOAD))
    bad["signature"] = good["signature"]
    document = json.loads(PAYLOAD) | {"signatures": [good, bad]}
    with pytest.raises(ManifestUnverified, match=r"signatures\[1\]"):
        read(json.dumps(document, indent=3).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_certificate_of_a_chain_is_the_key(kind: str, tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "someone")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key(kind).public_key(), 1, now, now + timedelta(days=1))
    certificate = base64.b64encode(built.sign(key(kind), hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    signed = sign(PAYLOAD, signer(tmp_path, kind))

    def chain(signature: dict[str, Any]) -> None:
        del signature["header"]["jwk"]
        signature["header"]["x5c"] = [certificate.decode(), "the rest is not looked at"]

    manifest = read(changed(signed, chain))
    assert b'"x5c":' in manifest.signatures[0]
    assert read(jws.assemble(manifest.payload, manifest.signatures)).payload == PAYLOAD
    for wrong in ("", "AAAA", 1, None, "\u00e4", certificate.decode()[:-8]):
        with pytest.raises(ManifestUnverified):
            read(changed(changed(signed, chain), lambda s, wrong=wrong: s["header"].update(x5c=[wrong])))


@given(data=some.data())
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_document_is_refused_or_has_the_same_payload(data: some.DataObject, kind: str) -> None:
    signed = SIGNED.setdefault(kind, _signed(kind))
    start = data.draw(some.integers(0, len(signed)))
    end = data.draw(some.integers(start, min(len(signed), start + 4)))
    other = data.draw(some.binary(max_size=4) | some.sampled_from(list(set(signed))).map(lambda byte: bytes([byte])))
    try:
        manifest = read(signed[:start] + other + signed[end:])
    except (ManifestInvalid, ManifestUnverified):
        return
    assert manifest.payload == PAYLOAD


ANYTHING = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.text(max_size=9)
    | some.sampled_from(["", "AA", "EC", "RSA"]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(data=some.data())
@pytest.mark.parametrize("kind", KINDS)
def test_anything_in_the_place_of_any_member_is_refused_or_changes_nothing(data: some.DataObject, kind: str) -> None:
    document = json.loads(SIGNED.setdefault(kind, _signed(kind)))
    node: Any = document["signatures"]
    while True:
        place = data.draw(some.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[place], (dict, list)) or data.draw(some.booleans()):
            break
        node = node[place]
    node[place] = data.draw(ANYTHING)
    try:
        manifest = read(json.dumps(document, indent=3).encode())
    except (ManifestInvalid, ManifestUnverified):
        return
    assert manifest.payload == PAYLOAD


SIGNED: dict[str, bytes] = {}


def _signed(kind: str) -> bytes:
    header = {"jwk": keys.to_jwk(key(kind).public_key())}
    protected = jws.protect(jws.split_of(PAYLOAD), "2015-03-04T05:06:07Z")
    header["alg"], signature = keys.sign(key(kind), jws.signing_input(protected, PAYLOAD))
    return jws.assemble(PAYLOAD, [jws.signature_object(header, signature, protected)])


# ── the registry's own key ────────────────────────────────────────────────────────────────────


def jwk_of(kind: str) -> dict[str, str]:
    numbers = key(kind).private_numbers()
    secret = numbers.d if kind == "RSA" else numbers.private_value
    return keys.to_jwk(key(kind).public_key()) | {"d": jws.encode(secret.to_bytes((secret.bit_length() + 7) // 8))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["PEM", "JWK", "libtrust's PEM, with headers"])
def test_a_key_file_may_be_pem_or_jwk(form: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    content = json.dumps(jwk_of(kind)).encode() if form == "JWK" else pem(kind)
    file.write_bytes(
        content.replace(b"KEY-----\n", b"KEY-----\nkeyID: AAAA:BBBB\n\n", 1) if "headers" in form else content
    )
    document = json.loads(LibtrustSigner(file).sign(PAYLOAD))
    assert document["header"]["jwk"] == keys.to_jwk(key(kind).public_key())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        b"{}",
        b"[]",
        b'{"kty": "oct", "k": "AA"}',
        *(
            made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            for made in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256K1()))
        ),
        rsa.generate_private_key(65537, 1024).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a password"),
        ),
    ],
)
def test_a_file_without_a_key_that_can_sign_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        LibtrustSigner(file)

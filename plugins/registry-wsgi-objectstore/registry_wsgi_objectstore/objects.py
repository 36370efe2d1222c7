"""The objects of a store by path; what the store raises becomes a DriverError, and in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import AzureStore

from registry_wsgi.errors import DriverError, PathBusy, PathNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from obstore import ObjectMeta, UpdateVersion, WritableFile
    from obstore.store import ObjectStore

BLOCK: Final = 1024 * 1024
PART: Final = 8 * 1024 * 1024
_PARTS_AT_ONCE: Final = 2


class Found(NamedTuple):
    """An object: its path, its size in bytes, when it was written in seconds since the epoch, and its version."""

    path: str
    size: int
    modified: float
    version: UpdateVersion


class Objects:
    """Objects at the paths of storage drivers, below a root of the store. `name` is the driver's, for errors.

    What is not there raises PathNotFound, and what failed otherwise DriverError.
    """

    def __init__(self, name: str, store: ObjectStore, rootdirectory: str = "") -> None:
        self.name = name
        self._store = store
        self._root = rootdirectory.strip("/")

    def head(self, path: str) -> Found:
        with self.failures(path):
            return self._found(obstore.head(self._store, self._key(path)))

    def get(self, path: str) -> tuple[bytes, Found]:
        with self.failures(path):
            result = obstore.get(self._store, self._key(path))
            return result.bytes().to_bytes(), self._found(result.meta)

    def stream(self, found: Found, offset: int = 0) -> Iterator[memoryview]:
        """Yield the object's bytes from `offset`, which is less than its size. Another version of it is refused."""
        tag = found.version.get("e_tag")
        options: dict[str, Any] = {"range": {"offset": offset}} if offset else {}
        if tag:
            options["if_match"] = tag
        with self.failures(found.path):
            for block in obstore.get(self._store, self._key(found.path), options=options).stream(min_chunk_size=BLOCK):  # type: ignore[arg-type]
                yield memoryview(block)

    def open(self, path: str) -> tuple[Found, Iterator[memoryview]]:
        """Return the object and all its bytes, asked for at once."""
        with self.failures(path):
            result = obstore.get(self._store, self._key(path))
            return self._found(result.meta), self._streamed(path, result.stream(min_chunk_size=BLOCK))

    def _streamed(self, path: str, blocks: Iterable[Any]) -> Iterator[memoryview]:
        with self.failures(path):
            for block in blocks:
                yield memoryview(block)

    def put(self, path: str, content: bytes | bytearray) -> None:
        with self.failures(path):
            obstore.put(self._store, self._key(path), content, use_multipart=False)

    def create(self, path: str, content: bytes | memoryview) -> UpdateVersion:
        """Write what is not there, and return its version. Raises PathBusy where it is."""
        return self._put(path, content, "create")

    def replace(self, path: str, content: bytes, version: UpdateVersion) -> UpdateVersion:
        """Write over that version, and return the new one. Raises PathBusy where it is another, or gone."""
        return self._put(path, content, version)

    def _put(self, path: str, content: bytes | memoryview, mode: Any) -> UpdateVersion:
        with self.failures(path):
            try:
                result = obstore.put(self._store, self._key(path), content, mode=mode)
            except (AlreadyExistsError, PreconditionError, NotFoundError, FileNotFoundError):
                raise PathBusy(self.name, path) from None
            return _version(result)

    def concatenate(self, parts: Sequence[Found], target: str) -> None:
        """Write the parts one after the other into one object, which is there when it is whole."""
        with self.failures(target):
            writer = self.write(target)
            for part in parts:
                for block in self.stream(part):
                    writer.write(block)
            writer.close()

    def write(self, path: str) -> WritableFile:
        """Return a writer of one object, that must be used within `failures`.

        One that is not closed has written nothing, so that a failure leaves what is there as it was.
        """
        with self.failures(path):
            return obstore.open_writer(self._store, self._key(path), buffer_size=PART, max_concurrency=_PARTS_AT_ONCE)

    def delete(self, paths: Sequence[str]) -> None:
        """Delete what is there of the paths, in as few requests as the store can."""
        keys = [self._key(path) for path in paths]
        for first in range(0, len(keys), 1000):
            with self.failures(paths[first]):
                try:
                    obstore.delete(self._store, keys[first : first + 1000])
                except (NotFoundError, FileNotFoundError):
                    self._delete_one_by_one(keys[first : first + 1000])

    def _delete_one_by_one(self, keys: Sequence[str]) -> None:
        """Delete what others are deleting, too."""
        for key in keys:
            try:
                obstore.delete(self._store, key)
            except (NotFoundError, FileNotFoundError):
                continue

    def below(self, path: str, after: str = "") -> Iterator[Found]:
        """Yield the objects below a directory, at any depth, in the order of their keys; those after `after` in it."""
        offset = self._key(f"{path.rstrip('/')}/{after}") if after else None
        with self.failures(path):
            for page in obstore.list(self._store, self._key(path) or None, offset=offset, chunk_size=1000):
                yield from map(self._found, page)

    def children(self, path: str) -> Iterator[str]:
        """Yield the paths of the direct children, files and directories; one that is both comes twice."""
        with self.failures(path):
            found = obstore.list_with_delimiter(self._store, self._key(path) or None)
        yield from (self._path(each["path"]) for each in found["objects"])
        yield from (self._path(prefix) for prefix in found["common_prefixes"])

    def sign(self, path: str, method: str, expires_in: timedelta) -> str:
        """Return a URL for GET or HEAD of the object, which need not exist."""
        # Azure signs a permission, and that to read is what HEAD needs, too.
        method = "GET" if isinstance(self._store, AzureStore) else method
        with self.failures(path):
            url: str = obstore.sign(self._store, method, self._key(path), expires_in)  # type: ignore[call-overload]
            return url

    def _key(self, path: str) -> str:
        return f"{self._root}{path}".strip("/")

    def _path(self, key: str) -> str:
        return f"/{key.removeprefix(self._root).strip('/')}"

    def _found(self, meta: ObjectMeta) -> Found:
        return Found(self._path(meta["path"]), meta["size"], meta["last_modified"].timestamp(), _version(meta))

    @contextmanager
    def failures(self, path: str) -> Iterator[None]:
        """Raise what the store raises in the block as an error about the path."""
        try:
            yield
        except (NotFoundError, FileNotFoundError):
            raise PathNotFound(self.name, path) from None
        except (BaseError, OSError) as error:
            raise DriverError(self.name, f"{path}: {str(error).strip().partition(chr(10))[0]}") from error


def _version(stored: Mapping[str, Any]) -> UpdateVersion:
    known = {name: stored.get(name) for name in ("e_tag", "version")}
    return {name: value for name, value in known.items() if value}  # type: ignore[return-value]

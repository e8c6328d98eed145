"""Ask registries which images they really hold, and give an image there another tag.

Rules: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from homeport.engine import manifests
from homeport.engine.manifests import Descriptor, Manifest, Place
from homeport.engine.registry import is_loopback
from homeport.engine.registry_http import CERTIFICATES, SMALL_BODY, Limits, Reply, Transport, expect
from homeport.engine.registry_login import Logins, SingleFlight
from homeport.engine.registry_problem import RegistryProblem, parsed

__all__ = ["Distribution", "Limits", "Manifest", "RegistryProblem"]

ACCEPT = ", ".join(sorted(manifests.INDEXES | manifests.IMAGES))
MANIFEST_MOST = 4 * 1024 * 1024  # what registries must take at least: the specification says so
CONFIG_MOST = 8 * 1024 * 1024
_DEPTH_MOST = 3
_THREADS = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


class Distribution:
    """Questions to registries; one object for a run, safe for threads, with kept connections and tokens.

    Every method raises RegistryProblem, and nothing else, for whatever a registry does; within
    ``limits.whole`` seconds, not counting the time that the system takes to resolve a name.
    """

    def __init__(self, limits: Limits | None = None, certificates: Path = CERTIFICATES) -> None:
        self._limits = limits or Limits()
        self._transport = Transport(self._limits, certificates)
        self._logins = Logins(self._transport)
        self._schemes: dict[str, str] = {}
        self._probes = SingleFlight[str, str]()
        self._read: set[tuple[str, str, str]] = set()  # blobs that were had whole: host, repository, digest
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Distribution:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop connections and threads; doesn't wait for questions that are still open."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    def digest(self, reference: str) -> str:
        """The digest that a tag has now, by the registry's word: only ``manifest`` verifies it."""
        place, deadline = Place.of(reference), self._limits.deadline()
        reply = self._send("HEAD", place, f"manifests/{place.name}", deadline, accept=ACCEPT)
        if reply.status == 405:  # some proxies know no HEAD
            return self._manifest(reference, place, deadline).digest
        self._expect(place, reply, 200)
        found = _digest_of(reply)
        if place.digest and found not in {"", place.digest}:
            raise RegistryProblem("broken", "it answers with another digest than it was asked for")
        return found or self._manifest(reference, place, deadline).digest

    def manifest(self, reference: str) -> Manifest:
        """The manifest or index; its bytes have the digest of the reference, and the one in the answer."""
        return self._manifest(reference, Place.of(reference), self._limits.deadline())

    def config(self, manifest: Manifest, platform: str) -> Mapping[str, Any]:
        """The configuration of the image for ``platform`` (``linux/amd64``, ``linux/arm64/v8``), verified.

        Problem ``absent`` if there is none for it, or if the configuration itself says it is for another.
        """
        place, deadline = Place.of(manifest.reference), self._limits.deadline()
        wanted = manifests.parse_platform(platform)
        if manifest.is_index:
            # Attestations stand there as unknown/unknown: they match no platform that is asked for.
            fitting = [part for part in manifests.children(manifest) if part.platform == wanted]
            if not fitting:
                raise RegistryProblem("absent", f"it has no image for {platform}")
            manifest = self._child(place, fitting[0], deadline)
        if manifest.is_index:
            raise RegistryProblem("broken", "its index names an index as an image")
        digest = manifests.config_blob(manifest).digest
        reply = self._send("GET", place, f"blobs/{digest}", deadline, most=CONFIG_MOST)
        self._expect(place, reply, 200)
        manifests.verify(reply.body, digest)
        self._read.add((place.host, place.repository, digest))
        config = parsed(reply.body, "the image's configuration")
        if not manifests.is_for(config, wanted):
            raise RegistryProblem("absent", f"its image isn't for {platform}")
        return config

    def complete(self, manifest: Manifest) -> bool:
        """Whether everything that the manifest names can be had: from its repository, with its size.

        Asked for all blobs at the same time; the manifests that an index names are read first. Foreign
        layers, which registries needn't have, don't count.
        """
        place, deadline = Place.of(manifest.reference), self._limits.deadline()
        try:
            images = self._images(place, manifest, deadline)
        except RegistryProblem as problem:
            if problem.kind == "absent":
                return False
            raise
        parts = {
            part.digest: part
            for image in images
            for part in manifests.blobs(image)
            if (place.host, place.repository, part.digest) not in self._read
        }
        return all(self._all(lambda part: self._has(place, part, deadline), parts.values()))

    def tag(self, manifest: Manifest, reference: str) -> None:
        """Give the same bytes another tag, in the same repository: elsewhere its blobs may be missing."""
        place, target = Place.of(manifest.reference), Place.of(reference)
        if (place.host, place.repository) != (target.host, target.repository) or target.digest:
            raise RegistryProblem("broken", f"'{reference}' is no tag beside '{manifest.reference}'")
        reply = self._send(
            "PUT",
            target,
            f"manifests/{target.name}",
            self._limits.deadline(),
            body=manifest.content,
            content_type=manifest.media_type,
        )
        self._expect(target, reply, 201, 200, 202)
        if _digest_of(reply) not in {"", manifest.digest}:
            raise RegistryProblem("broken", "it stored another manifest than it was given")

    def _manifest(self, reference: str, place: Place, deadline: float) -> Manifest:
        path = f"manifests/{place.name}"
        reply = self._send("GET", place, path, deadline, accept=ACCEPT, most=MANIFEST_MOST)
        self._expect(place, reply, 200)
        promised = _digest_of(reply)
        for digest in filter(None, (place.digest, promised)):
            manifests.verify(reply.body, digest)
        digest = place.digest or promised or f"sha256:{hashlib.sha256(reply.body).hexdigest()}"
        kind = reply.headers.get("Content-Type") or ""
        return manifests.read_manifest(reference, digest, kind, reply.body)

    def _child(self, place: Place, part: Descriptor, deadline: float) -> Manifest:
        child = Place(place.host, place.repository, part.digest)
        return self._manifest(f"{place.host}/{place.repository}@{part.digest}", child, deadline)

    def _images(self, place: Place, manifest: Manifest, deadline: float) -> list[Manifest]:
        images: list[Manifest] = []
        level = [manifest]
        for _ in range(_DEPTH_MOST):
            images += [found for found in level if not found.is_index]
            indexes = [found for found in level if found.is_index]
            if not indexes:
                return images
            parts = {part.digest: part for index in indexes for part in manifests.children(index)}
            level = self._all(lambda part: self._child(place, part, deadline), parts.values())
        raise RegistryProblem("broken", "its indexes name indexes, and those again")

    def _has(self, place: Place, part: Descriptor, deadline: float) -> bool:
        """Whether a blob can be had: its last byte is fetched.

        HEAD is no cheaper, and wrong: the usual registry remembers blobs that garbage collection removed,
        and answers 200 for them until it is restarted (``storage.cache.blobdescriptor``, in its default
        configuration; https://github.com/distribution/distribution/issues/1803).
        A blob that a full disk cut off is found as well.
        """
        path, last = f"blobs/{part.digest}", part.size - 1
        if last < 0:
            reply = self._send("HEAD", place, path, deadline)
        else:
            reply = self._send("GET", place, path, deadline, peek=True, byte=last)
        if reply.status in {404, 416}:
            return False
        self._expect(place, reply, 200, 206)
        if reply.status == 206:
            total = (reply.headers.get("Content-Range") or "").rpartition("/")[2]
            return len(reply.body) == 1 and total in {"*", str(part.size)}
        # Ranges are a SHOULD: it sends everything, of which only the beginning was read.
        length = reply.headers.get("Content-Length") or ""
        enough = len(reply.body) == part.size or len(reply.body) > SMALL_BODY
        return enough and (not length.isdecimal() or length == str(part.size))

    def _all(self, ask: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Ask for all items at the same time; the first problem ends it."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="registry")
            # Within the lock, because nothing can be handed to threads that were closed meanwhile.
            futures = [self._threads.submit(ask, item) for item in items]
        try:
            return [future.result() for future in futures]
        except CancelledError:
            raise RegistryProblem("down", "it is asked no longer") from None
        finally:
            for future in futures:
                future.cancel()

    def _send(
        self,
        method: str,
        place: Place,
        path: str,
        deadline: float,
        *,
        accept: str = "",
        body: bytes | None = None,
        content_type: str = "",
        most: int = SMALL_BODY,
        peek: bool = False,
        byte: int | None = None,
    ) -> Reply:
        """A request within a repository, and once more with the login that the registry asks for."""
        action = "pull,push" if method == "PUT" else "pull"
        url = f"{self._scheme(place.host, deadline)}://{place.host}/v2/{place.repository}/{path}"
        login = self._logins.header(place.host, place.repository, action, deadline)
        headers = {"Accept": accept, "Content-Type": content_type, "Authorization": login}
        headers["Range"] = "" if byte is None else f"bytes={byte}-{byte}"
        send = partial(self._transport.request, method, url, headers, deadline)
        reply = send(body=body, most=most, peek=peek)
        if reply.status != 401 or reply.elsewhere:
            return reply
        better = self._logins.renewed(place.host, place.repository, action, reply, login, deadline)
        if not better:
            return reply
        headers["Authorization"] = better
        return send(body=body, most=most, peek=peek)

    def _expect(self, place: Place, reply: Reply, *statuses: int) -> None:
        asked_for = reply.status in {401, 403}
        expect(reply, *statuses, login=asked_for and self._logins.stored(place.host) is not None)

    def _scheme(self, host: str, deadline: float) -> str:
        """``https``; on this machine ``http``, if the registry there speaks it."""
        if not is_loopback(host):
            return "https"
        return self._schemes.get(host) or self._probes.get(host, lambda: self._probe(host, deadline))

    def _probe(self, host: str, deadline: float) -> str:
        """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support"""
        if host in self._schemes:
            return self._schemes[host]
        problem: RegistryProblem | None = None
        for scheme in ("http", "https"):
            try:
                reply = self._transport.request("GET", f"{scheme}://{host}/v2/", {}, deadline)
            except RegistryProblem as found:
                # A certificate is the one thing that only a server with TLS can get wrong.
                if problem is None or "certificate" in found.detail:
                    problem = found
                continue
            # Servers that expect TLS answer plain HTTP with 400, if at all.
            if scheme == "http" and reply.status == 400:
                problem = RegistryProblem("broken", "it answers HTTP 400")
                continue
            if reply.status == 401:
                self._logins.learn(host, reply)
            self._schemes[host] = scheme
            return scheme
        raise problem or RegistryProblem("down", "it doesn't answer")


def _digest_of(reply: Reply) -> str:
    found = reply.headers.get("Docker-Content-Digest") or ""
    if found and not manifests.is_digest(found):
        raise RegistryProblem("broken", "its answer has no digest where one should be")
    return found

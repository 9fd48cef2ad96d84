"""Who asked, and what: two keyed hashes. Neither an API key nor a request can be read back from them.

Nothing is shared between API keys: the hash of a request is keyed by the hash of who asked, so that the same request of
two of them has two unrelated keys.

Not covered: somebody who has the memory's secret and guesses API keys or requests. The memory's file holds the texts
of requests and answers as they are, since a semantic hit is found by comparing texts; protect it like a log of them.
"""

from __future__ import annotations

import hashlib

from pointsman.query.memory.request import Request

__all__ = ["context_key", "request_key", "tenant_key"]

_BYTES = 16  # of a hash: 2**64 requests until two of them are expected to meet


def tenant_key(api_key: str, secret: bytes) -> bytes:
    """Who asked, 16 bytes; `secret` has 16 to 64 bytes."""
    return hashlib.blake2b(api_key.encode(), key=secret, digest_size=_BYTES).digest()


def request_key(request: Request, tenant: bytes) -> bytes:
    """What was asked, by whom; 16 bytes."""
    return hashlib.blake2b(request.canonical(), key=tenant, digest_size=_BYTES).digest()


def context_key(request: Request, tenant: bytes) -> bytes:
    """What a request and another in other words must share: all but the last message's text; 16 bytes."""
    return hashlib.blake2b(request.context(), key=tenant, digest_size=_BYTES, person=b"context").digest()

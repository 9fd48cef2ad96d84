"""The memory arm: an answer that was given before answers again.

    memory = Memory(Store(Path("memory.sqlite3")), Settings(delta=0.02))
    look = memory.look(api_key, Request.of(body))
    if look.kept is None:                      # ask another arm, then
        memory.keep(look, answer, cost, arm)   # learns from the answer, and keeps it

Exact memory answers the same request in normal form (`request.py`) with what it got before. Semantic memory answers a
request in other words, from the nearest text of the same API key and context, where a policy says so (`semantic.py`,
`pooled.py`). A share of what it could answer is asked all the same, at random: `audited`.

Covered: of the answers from semantic memory at most a share `delta` differs from what the other arm would have said,
with the stated confidence, under the conditions of `certificate.py`; nothing crosses from one API key to another;
requests of `refusing.py` are neither answered nor kept; nothing is answered after its time to live.
Not covered: whether the answers that were kept were right; models whose answers to one question differ in wording,
unless `same` can tell (they are taken as different, and semantic memory then never answers).

Thread-safe, by one lock. Blocks on the store.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pointsman.core import Cost, Unsupported
from pointsman.query.memory.eviction import Shelf, Worth
from pointsman.query.memory.keys import context_key, request_key, tenant_key
from pointsman.query.memory.looking import Look, LookReason, Settings, same_words
from pointsman.query.memory.refusing import refuses
from pointsman.query.memory.request import Request
from pointsman.query.memory.store import Kept, Row, Store

if TYPE_CHECKING:  # numpy stays out of exact memory
    from pointsman.query.memory.policies import Policy
    from pointsman.query.memory.semantic import Seen, Semantic

__all__ = ["Memory"]

_ENTRY_BYTES = 512
"""Of an entry beside its texts and vector: 130 on disk, measured 2026-11-26, and objects of this process; chosen."""


class Memory:
    """Exact and semantic memory in one store.

    Args:
        store: where everything is kept; closed by `close`.
        settings: how.
        same: whether two answers are the same. May be slow: it is asked of lookups that were not answered.
        clock: seconds since 1970.
        make_policy: another policy than ours for semantic memory, one for each API key; a restart forgets it.

    Raises:
        BadRequest: as `Store`.
        Unsupported: `needs_numpy` for semantic memory without numpy.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings | None = None,
        *,
        same: Callable[[str, str], bool] = same_words,
        clock: Callable[[], float] = time.time,
        make_policy: Callable[[], Policy] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self._store, self._same, self._clock, self._make_policy = store, same, clock, make_policy
        self._secret, self._lock = store.secret(), threading.RLock()
        self._rng = random.Random(self.settings.seed)  # noqa: S311  audits, no secrets
        self._shelf = Shelf(self.settings.capacity_bytes)
        self._entries: dict[bytes, int] = {}
        self._owners: dict[int, tuple[bytes, bytes]] = {}  # entry -> tenant, key
        self._tenants: dict[bytes, Semantic] = {}
        self._load()

    def __len__(self) -> int:
        return len(self._shelf)

    @property
    def kept_bytes(self) -> int:
        """Of all entries; never more than the capacity."""
        return self._shelf.kept_bytes

    def worth(self, key: bytes) -> Worth | None:
        """What the shelf knows of the entry with this key; None where it is not kept."""
        entry = self._entries.get(key)
        return None if entry is None else self._shelf.worth(entry)

    def look(self, api_key: str, request: Request) -> Look:
        """An answer from memory, or why there is none. Counts a use."""
        started = time.perf_counter()
        reason = refuses(request, allowed=self.settings.allowed, default_temperature=self.settings.default_temperature)
        if reason is not None:
            return Look(None, reason, _cost(0, started))
        with self._lock:
            tenant = tenant_key(api_key, self._secret)
            key = request_key(request, tenant)
            entry = self._entries.get(key)
            kept = None if entry is None else self._use(entry)
            if kept is not None:
                cost = _cost(len(kept.answer.encode()), started)
                return Look(kept, "exact_hit", cost, 0.0, tenant, key)
            return self._look_near(tenant, key, request, started)

    def keep(self, look: Look, answer: str, cost: Cost, arm: str) -> int | None:
        """Learns from the answer to a request that memory did not answer, and keeps it; returns the entry, if kept."""
        if not look.key or look.kept is not None:  # refused, or answered
            return None
        with self._lock:
            is_known = look.seen is not None and self._learn(look.tenant, look.seen, answer)
            entry = self._add(look, Kept(answer, cost, arm, self._clock()), is_known)
            if self._store.is_due:
                self.save()
            return entry

    def resize(self, capacity_bytes: int) -> None:
        """Sets the capacity, and gives up what is above it."""
        with self._lock:
            self._forget(self._shelf.resize(capacity_bytes))

    def save(self) -> None:
        """Writes everything to the store."""
        from pointsman.query.memory.pooled import Pooled

        with self._lock:
            for tenant, semantic in self._tenants.items():
                if isinstance(semantic.policy, Pooled):
                    policy = semantic.policy
                    self._store.learn(tenant, policy.belief.changes(), policy.certificate.to_json())
            self._store.set_about("age", repr(self._shelf.age).encode())
            self._store.commit()

    def close(self) -> None:
        """Writes everything and closes the store."""
        self.save()
        self._store.close()

    def _load(self) -> None:
        """Takes over what the store holds. What is too old or too much is given up."""
        age = self._store.about("age")
        too_old, too_much = [], []
        self._shelf.age = float(age) if age else 0.0
        for entry, row in self._store.rows():
            if self._is_old(row.kept):
                too_old.append(entry)
                continue
            self._file(entry, row)
            too_much += self._shelf.put(entry, row.size_bytes, self._saved(row.kept.cost), row.uses, row.priority)
        self._store.drop(too_old)
        self._forget(too_much)

    def _file(self, entry: int, row: Row) -> None:
        self._entries[row.key], self._owners[entry] = entry, (row.tenant, row.key)
        if row.is_near and self.settings.is_semantic:
            self._semantic(row.tenant).add(entry, row.context, row.text)

    def _semantic(self, tenant: bytes) -> Semantic:
        if tenant not in self._tenants:
            try:
                from pointsman.query.memory.semantic import Semantic
            except ModuleNotFoundError as exc:
                problem = "semantic memory needs numpy; install pointsman[local], or set is_semantic to false"
                raise Unsupported(problem, code="needs_numpy") from exc
            self._tenants[tenant] = Semantic(self._policy(tenant), self.settings.has_guards)
        return self._tenants[tenant]

    def _policy(self, tenant: bytes) -> Policy:
        from pointsman.query.memory.certificate import Certificate
        from pointsman.query.memory.pooled import Pooled

        if self._make_policy is not None:
            return self._make_policy()
        policy = Pooled(Certificate(self.settings.delta, self.settings.confidence))
        weights, bands = self._store.learned(tenant)
        policy.belief.restore(weights)
        policy.certificate.restore(bands)
        return policy

    def _use(self, entry: int) -> Kept | None:
        """The answer of an entry, counted as a use; None where it is too old, and then it is forgotten."""
        kept = self._store.kept(entry)
        if kept is None or self._is_old(kept):
            self._shelf.drop(entry)
            self._forget([entry])
            return None
        self._shelf.touch(entry)
        worth = self._shelf.worth(entry)
        self._store.used(entry, worth.uses, worth.priority)
        if self._store.is_due:
            self.save()
        return kept

    def _look_near(self, tenant: bytes, key: bytes, request: Request, started: float) -> Look:
        text, context = request.question or "", context_key(request, tenant)
        if not self.settings.is_semantic or not 0 < len(text) <= self.settings.max_chars:
            return Look(None, "miss", _cost(0, started), tenant=tenant, key=key)
        seen = self._semantic(tenant).look(context, text)
        moved = seen.moved_bytes if seen else 0
        reason: LookReason = "miss" if seen is None else "unsure"
        if seen is not None and seen.choice.answers:
            reason = "audited" if self._rng.random() < self.settings.audited else "semantic_hit"
        if seen is not None and reason == "semantic_hit":
            entry = seen.choice.near.entry
            kept = self._use(entry)
            if kept is not None:
                cost = _cost(moved + len(kept.answer.encode()), started)
                return Look(kept, reason, cost, self.settings.delta, *self._owners[entry])
            seen, reason = None, "miss"  # too old
        return Look(None, reason, _cost(moved, started), 0.0, tenant, key, context, text, seen)

    def _learn(self, tenant: bytes, seen: Seen, answer: str) -> bool:
        """Teaches the policy; returns whether the chosen candidate's answer was the true one."""

        def is_wrong(entry: int) -> bool | None:
            kept = self._store.kept(entry) if entry in self._shelf else None
            return None if kept is None or self._is_old(kept) else not self._same(kept.answer, answer)

        return self._semantic(tenant).learn(seen, is_wrong)

    def _add(self, look: Look, kept: Kept, is_known: bool) -> int | None:
        """Keeps an answer, where it is worth more per byte than what it would displace."""
        old = self._entries.get(look.key)
        if old is not None:  # asked twice at once
            self._shelf.drop(old)
            self._forget([old])
        size = _ENTRY_BYTES + len(kept.answer.encode()) + len(look.text.encode())
        is_near = False
        if look.text:
            semantic = self._semantic(look.tenant)
            is_near = semantic.policy.adds_known or not is_known
            size += semantic.row_bytes if is_near else 0
        row = Row(look.tenant, look.key, look.context, look.text, is_near, size, 1, 0.0, kept)
        entry = self._store.add(row)
        given_up = self._shelf.put(entry, size, self._saved(kept.cost))
        self._file(entry, row)
        self._forget(given_up)
        if entry not in self._shelf:
            return None
        self._store.used(entry, 1, self._shelf.worth(entry).priority)
        return entry

    def _forget(self, entries: list[int]) -> None:
        """Removes entries that the shelf keeps no more."""
        if not entries:
            return
        for entry in entries:
            tenant, key = self._owners.pop(entry)
            del self._entries[key]
            if tenant in self._tenants:
                self._tenants[tenant].remove(entry)
        self._store.drop(entries)

    def _saved(self, cost: Cost) -> float:
        return float(cost.nano_usd if self.settings.saved == "nano_usd" else cost.moved_bytes)

    def _is_old(self, kept: Kept) -> bool:
        return self._clock() - kept.kept_at_s >= self.settings.seconds_to_live


def _cost(moved_bytes: int, started: float) -> Cost:
    return Cost(0, 0, 0, moved_bytes, time.perf_counter() - started)

"""Puts `auto` together: opens what the configuration names, and checks all of it before anything is served."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.core import Unsupported
from pointsman.gateway.arms import Arm
from pointsman.gateway.auto.arm import AutoArm, Tracks
from pointsman.gateway.auto.auditing import Auditor
from pointsman.gateway.auto.explaining import Trails
from pointsman.gateway.auto.guarding import guard_of
from pointsman.gateway.auto.recording import Recorder
from pointsman.gateway.auto.routing import PolicyTrack
from pointsman.gateway.auto.spec import Served, specs_of
from pointsman.gateway.auto.telling import certificate_told
from pointsman.gateway.auto.tracks import MemoryTrack, ProgramTrack, SolverTrack
from pointsman.gateway.config import Config
from pointsman.gateway.models import ModelArm, ModelSource
from pointsman.gateway.tap import PriceOf

if TYPE_CHECKING:  # each is loaded where it is configured only
    from pointsman.gateway.auto.conversations import Conversations
    from pointsman.gateway.ledger import Ledger
    from pointsman.program.text.router import Router
    from pointsman.query.memory import Memory
    from pointsman.query.policy import Policy

__all__ = ["Auto", "LoadPolicy", "Opened", "open_routing"]

LoadPolicy = Callable[[Path, Path | None], "Policy"]
"""From its folder and that of its embedding, or a model's name, where it has one and that is not where it was."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What `auto` works with and has to be opened first. `close` it where no application takes it over.

    Attributes:
        policy: chooses among models.
        memory: answers again.
        ledger: keeps the books.
        has_solver: whether problems are solved.
        clock: seconds since 1970, for the books.
    """

    policy: Policy | None = None
    memory: Memory | None = None
    ledger: Ledger | None = None
    has_solver: bool = False
    clock: Callable[[], float] = time.time

    def close(self) -> None:
        """Closes the files. Blocks."""
        if self.memory is not None:
            self.memory.close()
        if self.ledger is not None:
            self.ledger.close()


def open_routing(config: Config, load_policy: LoadPolicy) -> Opened:
    """Opens the policy, the memory and the ledger that the configuration names. Blocks.

    Raises:
        BadRequest: `no_ledger`, `invalid_ledger`, `ledger_locked`; what `load_policy` and `Store` raise.
        Unsupported: `extra_missing` where the solver is switched on and not installed; `needs_numpy` for semantic
            memory; `ledger_too_new`.
    """
    routing = config.routing
    has_solver = find_spec("ortools") is not None
    if routing.solver and not has_solver:
        raise Unsupported("solver.on needs OR-tools; install pointsman[solve]", code="extra_missing")
    policy = None if routing.policy is None else load_policy(routing.policy, routing.embedding)
    memory = _open_memory(config)
    try:
        ledger = _open_ledger(routing.ledger)
    except BaseException:
        if memory is not None:
            memory.close()
        raise
    wants_solver = policy is not None if routing.solver is None else routing.solver
    return Opened(policy, memory, ledger, has_solver and wants_solver)


def _open_memory(config: Config) -> Memory | None:
    routing = config.routing
    if routing.memory is None:
        return None
    from pointsman.query.memory import Memory, Settings, Store

    settings = Settings(
        capacity_bytes=routing.capacity_bytes,
        seconds_to_live=routing.seconds_to_live,
        is_semantic=routing.semantic,
        default_temperature=1.0 if config.upstreams else 0.0,  # of an upstream's model it is not known
    )
    return Memory(Store(routing.memory), settings)


def _open_ledger(path: Path | None) -> Ledger | None:
    if path is None:
        return None
    from pointsman.gateway.ledger import open_ledger

    return open_ledger(path)


class Auto:
    """The arm, the books, and what the server tells of both.

    Args:
        config: of the server.
        opened: is closed by `close`.
        router: programs and when they cover a request; None for none.
        arms: all arms, by name; upstreams may join later.
        models: of this machine.

    Raises:
        BadRequest: `invalid_arm` where an arm of the policy is none of this server's models.
    """

    def __init__(
        self,
        config: Config,
        opened: Opened,
        router: Router | None,
        arms: Mapping[str, Arm],
        models: Sequence[ModelSource],
    ) -> None:
        self._config, self._opened, self._arms = config, opened, arms
        policy = opened.policy
        self._policy = None if policy is None else self._track(policy, models)
        self._memory = None if opened.memory is None else MemoryTrack(opened.memory)
        routing = config.routing
        self._guard = None if policy is None else guard_of(policy, routing.most_reference, routing.shift_tolerance)
        self.trails = Trails(config.routing.explained)
        self.recorder = Recorder(opened.ledger, self._guard, opened.clock)
        self._levels = {source.name: source.level for source in models}
        self.arm = self._made(router)

    def price_of(self, model: str) -> PriceOf | None:
        """What the model of an upstream asks for tokens; None for every other one."""
        for upstream in self._config.upstreams:
            if model in upstream.models:
                return lambda read, written, cached: upstream.nano_usd(model, read, written, cached)
        return None

    def level_of(self, model: str) -> str:
        """The level that a request for this model is filed under."""
        return "program" if model.startswith("program/") else self._levels.get(model, "query")

    def told(self) -> dict[str, Any]:
        """For `GET /v1/pointsman/status`."""
        policy = self._opened.policy
        auditor = None if self.arm is None else self.arm.auditor
        is_off = self._guard is not None and self._guard.is_off
        certificate = None if policy is None or is_off else certificate_told(policy.certificate)
        return {
            "auto": self.arm is not None,
            "routing": {"state": "not_configured"} if self._guard is None else self._guard.told(),
            "policy": None
            if policy is None
            else {"version": policy.version, "arms": policy.arms, "reference": policy.reference, "kind": policy.kind},
            "certificate": certificate,
            "audits": None if auditor is None else auditor.told(),
            "ledger": self.recorder.told(),
            "memory": None if self._memory is None else self._memory.told(),
            "solver": self._opened.has_solver,
            "parts": self._config.routing.parts,
        }

    def close(self) -> None:
        """Writes what the ledger has left; call it after the arm is closed. Blocks."""
        self.recorder.close()

    def _made(self, router: Router | None) -> AutoArm | None:
        """None where there is nothing to try."""
        routing = self._config.routing
        tracks = Tracks(
            self._memory,
            None if router is None else ProgramTrack(router),
            SolverTrack() if self._opened.has_solver else None,
            routing.parts,
            self._policy,
            self._config.server.infer,
        )
        if not tracks.tells and tracks.programs is None:
            return None
        arm = AutoArm(tracks, self._arms, self.trails, self.recorder, self._guard, self.price_of)
        if self._policy is not None and routing.audit_share > 0:
            arm.auditor = Auditor(
                routing.audit_share,
                routing.max_audits,
                is_reference_right=routing.comparer == "reference_is_right",
                ask=arm.ask_reference,
                recorder=self.recorder,
            )
        return arm

    def _track(self, policy: Policy, models: Sequence[ModelSource]) -> PolicyTrack:
        return PolicyTrack(policy, self._specs(policy, models), self._count, self._conversations(policy))

    def _conversations(self, policy: Policy) -> Conversations | None:
        """None where costs are no money, or no prompt cache makes any of it cheaper."""
        priced = ((upstream, model) for upstream in self._config.upstreams for model in upstream.models)
        saves = {model: saved for upstream, model in priced if (saved := upstream.cache_saves(model)) > 0}
        if policy.kind != "nano_usd" or not saves:
            return None
        from pointsman.gateway.auto.conversations import Conversations

        routing = self._config.routing
        return Conversations(saves, routing.prompt_cache_s, routing.prompt_cache_tokens)

    def _specs(self, policy: Policy, models: Sequence[ModelSource]) -> Any:
        served = {
            source.name: Served(True, has_budget=source.level == "unit", has_risk=source.level == "token")
            for source in models
        }
        relayed = [name for upstream in self._config.upstreams for name in upstream.models]
        return specs_of(policy.arms, {**served, **dict.fromkeys(relayed, Served(is_local=False))})

    def _count(self, model: str, body: bytes) -> int | None:
        arm = self._arms[model]
        return arm.count(body) if isinstance(arm, ModelArm) else None

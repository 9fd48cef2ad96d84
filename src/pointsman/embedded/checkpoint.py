"""A training run on disk: tensors as safetensors, the rest as JSON. Nothing is pickled.

A checkpoint is written beside the one before and takes its place in one rename, so an interruption leaves a whole one.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pointsman.core import BadRequest
from pointsman.embedded.training import Trainer

FILE = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a run must agree on with a checkpoint to go on from it."""

    model: str
    seed: int
    seconds: float
    recipe: str


def save_checkpoint(folder: Path, trainer: Trainer, identity: Identity, elapsed_s: float) -> None:
    """Writes everything that `resume` needs. Blocks for as long as the disk takes."""
    tensors = {f"model.{name}": parameter.detach() for name, parameter in trainer.model.named_parameters()}
    for index, optimizer in enumerate(trainer.optimizers):
        for key, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}.{name}": torch.as_tensor(value) for name, value in state.items()}
    curriculum = trainer.curriculum
    about = {
        "identity": [identity.model, identity.seed, identity.seconds, identity.recipe],
        "elapsed_s": elapsed_s,
        "num_steps": trainer.num_steps,
        "scores": curriculum.scores,
        "num_open": curriculum.num_open,
    }
    partial = folder / (FILE + ".part")
    save_file(
        {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, partial, {"about": json.dumps(about)}
    )
    partial.replace(folder / FILE)


def resume(folder: Path, trainer: Trainer, identity: Identity) -> float:
    """Puts `trainer` where the checkpoint in `folder` was left; returns the seconds trained, 0 without a checkpoint.

    Raises:
        BadRequest: `invalid_checkpoint` where the file is broken, `other_checkpoint` where it is of another run.
    """
    path = folder / FILE
    if not path.exists():
        return 0.0
    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as exc:
        raise BadRequest(f"{path} is no checkpoint: {exc}; delete it to start anew", code="invalid_checkpoint") from exc
    mine = [identity.model, identity.seed, identity.seconds, identity.recipe]
    if about["identity"] != mine:
        problem = f"{path} is of a run with {about['identity']}, not {mine}; name another folder or delete it"
        raise BadRequest(problem, code="other_checkpoint")
    _restore(trainer, tensors)
    trainer.num_steps = about["num_steps"]
    trainer.curriculum.scores, trainer.curriculum.num_open = about["scores"], about["num_open"]
    return float(about["elapsed_s"])


@torch.no_grad()
def _restore(trainer: Trainer, tensors: dict[str, torch.Tensor]) -> None:
    for name, parameter in trainer.model.named_parameters():
        parameter.copy_(tensors[f"model.{name}"])
    for index, optimizer in enumerate(trainer.optimizers):
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"optimizer.{index}."):
                _, _, key, entry = name.split(".", 3)
                state.setdefault(int(key), {})[entry] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})

"""Work that an interruption must not lose: chunks of tensors in a folder, made once."""

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Tensors = Mapping[str, Tensor]


class Store:
    """Chunks by name. Those of another run, told by `identity`, are made anew.

    Args:
        folder: where they lie; made where it is not.
        identity: what a chunk depends on: models, data, seed, settings.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder, self._identity = folder, identity
        folder.mkdir(parents=True, exist_ok=True)

    def chunk(self, name: str, make: Callable[[], Tensors]) -> Tensors:
        """The chunk of that name: read where it was made before, else made and written in one rename."""
        found = self.latest(name)
        if found is not None:
            return found
        made = make()
        self.put(name, made)
        return made

    def latest(self, name: str) -> Tensors | None:
        """What was put last under that name; None where nothing was."""
        return self._read(self._folder / f"{name}.safetensors")

    def put(self, name: str, tensors: Tensors) -> None:
        """Writes in one rename what replaces the chunk of that name."""
        path = self._folder / f"{name}.safetensors"
        aside = path.with_suffix(".new")
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, aside, {"identity": self._identity})
        aside.replace(path)

    def _read(self, path: Path) -> Tensors | None:
        try:
            with safe_open(path, "pt") as file:
                if (file.metadata() or {}).get("identity") != self._identity:
                    return None
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  it is no mapping
        except (FileNotFoundError, SafetensorError):  # absent, or cut off
            return None

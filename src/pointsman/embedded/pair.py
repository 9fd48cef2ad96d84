"""Where the two trained models are that ship in the package."""

from pathlib import Path
from typing import Literal, get_args

from pointsman.core import NotFound

Size = Literal["large", "small"]
SIZES: tuple[Size, ...] = get_args(Size)


def model_folder(size: str) -> Path:
    """The folder of `embedded/large` or `embedded/small`, in Hugging Face's layout.

    Raises:
        NotFound: `model_not_found` for another size.
    """
    if size not in SIZES:
        raise NotFound(f"there is no embedded model {size!r}; there is {', '.join(SIZES)}", code="model_not_found")
    return Path(__file__).parent / "models" / size


def units_folder() -> Path:
    """The folder with the forecasters and gates of `embedded/large`, for the unit level."""
    return Path(__file__).parent / "models" / "units"


def router_folder() -> Path:
    """The folder with the gates of the embedded pair, for the token level."""
    return Path(__file__).parent / "models" / "router"

"""Python source -> IR. Everything that is not understood is refused with its place and a rewriting."""

from pointsman.program.frontend.functions import lower_program
from pointsman.program.frontend.module import Module
from pointsman.program.frontend.refusal import REFUSALS, Refusal

__all__ = ["REFUSALS", "Module", "Refusal", "lower_program"]

"""Programs that a model drafts: the compiler compiles them, and all examples must hold before one is kept."""

from pointsman.program.writing.examples import Example, read_examples
from pointsman.program.writing.loop import DEFAULT_FUEL, DEFAULT_ROUNDS, Round, Task, Writer, write_program
from pointsman.program.writing.prompt import MOST_SHOWN, Message
from pointsman.program.writing.scripted import ScriptedWriter

__all__ = [
    "DEFAULT_FUEL",
    "DEFAULT_ROUNDS",
    "MOST_SHOWN",
    "Example",
    "Message",
    "Round",
    "ScriptedWriter",
    "Task",
    "Writer",
    "read_examples",
    "write_program",
]

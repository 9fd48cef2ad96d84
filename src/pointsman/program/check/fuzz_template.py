"""The notation in which the fuzzing grammar is written.

A template is Python text with holes. `<int>` is an expression of that kind; `<int!>` is one that may not see the
names bound by the template itself (a comprehension's iterable); `<int~>` is one kept small, for values that are stored;
`<int.>` is a name or a literal. `<block>` and `<loop>` on a line of their own are statements, the latter inside a loop.
`@x` is a name, declared in one of the fields of `Template` as `"x:int y:list"`.

Tables of templates are written as text: `:: 4 use p:list loop 8 :: text`, or the text on the lines below. The number is
the weight, the rest are the fields by name.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

HOLE = re.compile(r"<(\w+)([!~.]?)>|@(\w+)")
HEAD = re.compile(r"^:: (.+?)(?: :: (.*))?$", re.MULTILINE)
FIELD = re.compile(r" (use|new|counter|keep|maybe|loop|needs) ")


@dataclass(frozen=True, slots=True)
class Template:
    """One production: its text, how often it is chosen, and what its names are.

    `use` names exist before, `new` names are seen only inside, `counter` names are `new` ones that nothing else may
    assign (a loop ends because of them), `keep` names are bound afterwards, `maybe` names are bound on some paths.
    `loop` bounds how often the inside runs. `needs` is "loop" for text that is legal in a loop only and "cold" for text
    that must not be repeated because it makes values grow.
    """

    text: str
    weight: int
    use: str = ""
    new: str = ""
    counter: str = ""
    keep: str = ""
    maybe: str = ""
    loop: int = 1
    needs: str = ""

    @property
    def nests(self) -> bool:
        """Whether the template has statements inside."""
        return "<block>" in self.text or "<loop>" in self.text


@dataclass(frozen=True, slots=True)
class HelperTemplate:
    """A whole helper function: its text, in which `@f` is its name, and how to call it."""

    template: Template
    parameters: tuple[str, ...]
    num_defaults: int = 0
    star: bool = False


def templates(table: str) -> tuple[Template, ...]:
    """Read a table of templates."""
    heads = list(HEAD.finditer(table))
    ends = [head.start() for head in heads[1:]] + [len(table)]
    return tuple(
        _template(head[1], head[2] or table[head.end() : end].strip("\n"))
        for head, end in zip(heads, ends, strict=True)
    )


def _template(head: str, text: str) -> Template:
    """Read the fields of one template, such as `4 use p:list q:int loop 8`."""
    weight, *words = FIELD.split(head)
    values = dict(zip(words[::2], words[1::2], strict=True))
    loop = int(values.pop("loop", "1"))
    return Template(text, int(weight), loop=loop, **values)


@functools.cache
def declared(names: str) -> Mapping[str, str]:
    """Read `"x:int y:list"` as a mapping from name to kind, in that order."""
    return dict(pair.split(":") for pair in names.split())

"""The solver arm: finite-domain problems are solved by OR-tools CP-SAT in place of a language model.

`decode_problem` reads JSON, `solve` answers with a verdict. Importing this loads no ortools, which
`pointsman[solve]` installs.
"""

from pointsman.query.solver.checking import convert_problem, decode_problem
from pointsman.query.solver.problem import Problem
from pointsman.query.solver.solving import Answer, Quoted, Verdict, solve

__all__ = ["Answer", "Problem", "Quoted", "Verdict", "convert_problem", "decode_problem", "solve"]

"""The solver arm: finite-domain problems are solved by OR-tools CP-SAT in place of a language model.

`decode_problem` reads JSON, `solve` answers with a verdict. Importing this imports no ortools; `pointsman[solve]` has it.
"""

from pointsman.query.solver.checking import convert_problem, decode_problem
from pointsman.query.solver.problem import Problem
from pointsman.query.solver.solving import Answer, Quoted, Verdict, solve

__all__ = ["Answer", "Problem", "Quoted", "Verdict", "convert_problem", "decode_problem", "solve"]

"""Imports point one way, as the design draws them; importing costs little and does nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "pointsman"
# package -> the packages it may import, besides itself
ALLOWED = {
    "core": set(),
    "program": {"core"},
    "engine": {"core"},
    "token": {"core", "engine"},
    "unit": {"core", "engine", "token"},  # the token level verifies its drafts
    "embedded": {"core", "engine", "token"},
    "query": {"core", "program", "engine", "token", "unit"},
    "gateway": {"core", "program", "engine", "token", "unit", "query"},
    "bench": {"core", "program", "engine", "token", "unit", "query", "embedded", "gateway"},
    "cli": {"core", "program", "engine", "token", "unit", "query", "embedded", "gateway", "bench"},
    "demo": {"core", "program", "engine", "query", "embedded", "gateway"},
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pointsman."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "pointsman":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("pointsman.")}
    return found


@pytest.mark.parametrize("package", ALLOWED)
def test_no_import_points_back(package: str) -> None:
    files = sorted((SOURCE / package).rglob("*.py"))
    assert files
    back = {
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in files
        for name in imported(path)
        if name in ALLOWED and name != package and name not in ALLOWED[package]
    }
    assert back == set()


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, pointsman; print(sorted({'z3', 'torch', 'numba', 'aiohttp', 'starlette'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_task_families_and_the_server_need_no_torch() -> None:
    code = "import sys, pointsman.embedded, pointsman.gateway, pointsman.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_loading_a_table_needs_no_solver() -> None:
    code = "import sys; from pointsman import load_table; print('z3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_exact_memory_needs_no_numpy() -> None:
    code = "import sys, pointsman.query.memory; print({'numpy', 'torch', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_reading_requests_needs_no_numpy() -> None:
    missing = "import sys; sys.modules |= dict.fromkeys(('numpy', 'scipy', 'sklearn', 'torch')); "
    code = (
        "import pointsman.program.text.router, pointsman.cli.run; from pointsman.gateway.programs import find_router; "
        "from pathlib import Path; print(find_router([Path()], [], None, None))"
    )
    done = subprocess.run([sys.executable, "-c", missing + code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


def test_the_query_level_loads_ortools_only_to_solve() -> None:
    code = (
        "import sys, pointsman.query.solver.text, pointsman.embedded.puzzles, pointsman.cli; "
        "print(sorted({'ortools', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

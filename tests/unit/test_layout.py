"""The layout of the code: imports between the packages of `warehouse/`, sizes of modules and folders, docstrings.

The direction of imports is checked by import-linter (`[tool.importlinter]` in pyproject.toml).
"""

import ast
from pathlib import Path

import pytest

from warehouse.config import PROJECT

PACKAGES = ("models", "quality", "warehouse", "reports", "orchestration", "sample_data")
MODULES = sorted(file for package in PACKAGES for file in (PROJECT / package).rglob("*.py"))

MAX_IMPORTED_PAIRS = 60
MAX_LINES = 400
MAX_MODULES = 14
ONE_MODULE_PER_COMMAND = PROJECT / "orchestration" / "cli"


def module_name(file: Path) -> str:
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    """The package of a module of `warehouse`: the part of its name after `warehouse`."""
    return module.split(".")[1]


def imported_modules(file: Path) -> set[str]:
    """The modules that a file imports at any level, also in functions and for type checking only."""
    known = {module_name(module) for module in MODULES}
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= {name if name in known else node.module for name in names}
    return imported & known


def test_packages_of_the_warehouse_have_few_imports_between_them() -> None:
    pairs = {
        (package_of(module), package_of(imported))
        for file in MODULES
        if (module := module_name(file)).startswith("warehouse.")
        for imported in imported_modules(file)
        if imported.startswith("warehouse.") and package_of(imported) != package_of(module)
    }
    assert len(pairs) <= MAX_IMPORTED_PAIRS, "\n".join(
        f"{package} -> {imported}" for package, imported in sorted(pairs)
    )


@pytest.mark.parametrize("file", MODULES, ids=module_name)
def test_a_module_has_a_docstring_and_a_limited_number_of_lines(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module says what lives there"
    assert len(text.splitlines()) <= MAX_LINES


def test_a_folder_has_a_limited_number_of_modules() -> None:
    folders = {file.parent for file in MODULES} - {ONE_MODULE_PER_COMMAND}
    sizes = {folder.relative_to(PROJECT).as_posix(): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}

"""The layout that docs/architecture.md tells of, kept true by walking the tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["ledger", "market", "scheduler", "portal"]
ENGINE = ["ledger", "market", "scheduler"]
WEB = ("django.http", "django.views", "django.forms", "django.template", "django.urls", "django.shortcuts")


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_file_is_longer_than_400_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*sources(*PACKAGES, "tests", "bench"), *(ROOT / "static" / "js").rglob("*.js")]
        if "migrations" not in path.parts and (lines := len(path.read_text().splitlines())) > 400
    }

    assert long == {}


@pytest.mark.parametrize("package", ENGINE)
def test_the_engine_holds_no_web_code(package):
    for path in sources(package):
        assert path.name not in {"views.py", "forms.py", "urls.py"}, path
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith(WEB) for name in names), f"{path}: {names}"


def test_nothing_is_called_services_utils_or_helpers():
    named = {"services.py", "utils.py", "helpers.py", "signals.py", "managers.py"}

    assert [path for path in sources(*PACKAGES) if path.name in named] == []


def test_every_package_says_what_it_owns_in_under_ten_lines():
    for package in [ROOT / name for name in PACKAGES] + list((ROOT / "portal").iterdir()):
        if not (package / "__init__.py").exists():
            continue
        docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text()))
        assert docstring, package
        assert len(docstring.splitlines()) < 10, package


def test_no_script_module_is_longer_than_200_lines():
    own = list((ROOT / "static" / "js").rglob("*.js"))

    assert {path.name for path in own if len(path.read_text().splitlines()) > 200} == set()


def test_compiled_and_vendored_files_say_their_licence():
    for folder in (ROOT / "static" / "vendor").iterdir():
        if folder.is_dir():
            assert list(folder.glob("LICEN*")), folder

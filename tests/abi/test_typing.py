"""The type stubs say what the modules have: same names, same parameters, same defaults.

That the types fit together is checked by mypy (`mypy`, with typed_use.py as the user), which .ci/run calls.
"""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import fastroi

PACKAGE = Path(fastroi.__file__).parent
STUBS = sorted(path.stem for path in PACKAGE.glob("*.pyi"))
WITHOUT_STUB = {"__main__", "_arrays", "_devices", "_version"}


def module(stem):
    return fastroi if stem == "__init__" else importlib.import_module(f"fastroi.{stem}")


def functions(stem):
    """The last definition of each function of a stub: that of an overload that takes everything."""
    tree = ast.parse((PACKAGE / f"{stem}.pyi").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def shape(node):
    """Names, kinds and defaults of the parameters."""
    arguments = node.args
    names = [argument.arg for argument in arguments.args]
    defaults = [None] * (len(names) - len(arguments.defaults)) + arguments.defaults
    only = [argument.arg for argument in arguments.kwonlyargs]
    pairs = [*zip(names, defaults, strict=True), *zip(only, arguments.kw_defaults, strict=True)]
    return only, {name: inspect.Parameter.empty if value is None else ast.literal_eval(value) for name, value in pairs}


def test_every_module_has_a_stub():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - WITHOUT_STUB
    assert modules | {"_core"} == set(STUBS)


@pytest.mark.parametrize("stem", STUBS)
def test_signatures(stem):
    for name, node in functions(stem).items():
        parameters = inspect.signature(getattr(module(stem), name)).parameters
        only, defaults = shape(node)
        if node.decorator_list:  # an overload: what tells it from the others has no default in the last
            (told,) = {"return_argmax", "threshold"} & defaults.keys()
            defaults[told] = parameters[told].default
        assert defaults == {key: parameter.default for key, parameter in parameters.items()}, name
        assert only == [key for key, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY], name


@pytest.mark.parametrize("stem", STUBS)
def test_names(stem):
    tree = ast.parse((PACKAGE / f"{stem}.pyi").read_text())
    listed = [n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__"]
    if hasattr(module(stem), "__all__"):
        assert sorted(ast.literal_eval(listed[0])) == sorted(module(stem).__all__)
    public = {
        name for name, value in vars(module(stem)).items() if inspect.isroutine(value) and not name.startswith("_")
    }
    own = {name for name in public if getattr(module(stem), name).__module__ == module(stem).__name__}
    assert own <= set(functions(stem)), "functions without a stub"

"""Types are written where the code is: all of the public ones, with the names that the library itself has.

That they fit together, and what a user sees of them, is checked by mypy (`mypy`, from typed_use.py), which .ci/run calls.
"""

import ast
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import fastroi
from fastroi import _core, _types, gpu, simd
from fastroi._checks.call import LAYOUTS

PACKAGE = Path(fastroi.__file__).parent
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (fastroi, gpu, simd)
    for name in module.__all__
    if inspect.isroutine(getattr(module, name)) or inspect.isclass(getattr(module, name))
}
SOURCES = sorted(path for path in PACKAGE.glob("*.py") if "@overload" in path.read_text())
TELLING_APART = {"return_argmax", "threshold"}


def top_level(path, kind):
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, kind)]


def shape(node):
    """Names, kinds and defaults of the parameters."""
    arguments = node.args
    names = [argument.arg for argument in arguments.args]
    defaults = [None] * (len(names) - len(arguments.defaults)) + arguments.defaults
    only = [argument.arg for argument in arguments.kwonlyargs]
    pairs = [*zip(names, defaults, strict=True), *zip(only, arguments.kw_defaults, strict=True)]
    return only, {name: inspect.Parameter.empty if value is None else ast.literal_eval(value) for name, value in pairs}


# --- where types are -----------------------------------------------------------------------------------------------------


def test_only_compiled_modules_have_a_stub():
    stubs = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.pyi")]
    assert stubs == ["_core.pyi"]
    assert not (PACKAGE / "_core.py").exists()
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("name", PUBLIC)
def test_public_functions_are_annotated(name):
    """Each parameter and the result; of a class those of its methods."""
    item = PUBLIC[name]
    functions = (
        [value for value in vars(item).values() if inspect.isfunction(value)] if inspect.isclass(item) else [item]
    )
    assert functions
    for function in functions:
        signature = inspect.signature(function)
        bare = {key for key, parameter in signature.parameters.items() if parameter.annotation is parameter.empty}
        assert bare <= {"self"}, function
        assert signature.return_annotation is not signature.empty, function


def test_types_are_not_imported():
    """What annotations are made of costs `import fastroi` nothing."""
    program = "import sys, numpy; before = set(sys.modules); import fastroi; print(*set(sys.modules) - before)"
    imported = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "fastroi.ops" in imported
    assert not {"fastroi._types", "fastroi.gpu", "numpy.typing"} & set(imported)


# --- what types say ------------------------------------------------------------------------------------------------------


def named(function, parameter):
    """The names that a parameter takes, and whether bools as well."""
    hint = typing.get_type_hints(function, localns=vars(_types))[parameter]
    parts = [hint] if typing.get_origin(hint) is typing.Literal else typing.get_args(hint)
    (literal,) = [part for part in parts if typing.get_origin(part) is typing.Literal]
    assert set(parts) <= {literal, bool}
    return typing.get_args(literal), bool in parts


@pytest.mark.parametrize("name", _core.OPERATORS)
def test_choices_are_those_of_the_library(name):
    for field in _core.OPERATORS[name].fields.values():
        if field.choices:
            assert named(getattr(fastroi, name), field.name) == (field.choices, field.name == "aligned")


def test_choices_that_the_library_does_not_know():
    assert named(fastroi.fpn_levels, "rule") == (fastroi.FPN_LEVEL_RULES, False)
    assert named(fastroi.multiscale_roi_align, "level_rule") == (fastroi.FPN_LEVEL_RULES, False)
    for function in (getattr(fastroi, name) for name in _core.OPERATORS):
        if "layout" in inspect.signature(function).parameters:
            assert named(function, "layout") == (LAYOUTS, False)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_overloads_differ_in_one_parameter(source):
    """mypy compares their types with those of the function, not their defaults."""
    functions = top_level(source, ast.FunctionDef)
    whole = {node.name: shape(node) for node in functions if "overload" not in map(ast.unparse, node.decorator_list)}
    for node in functions:
        if [ast.unparse(decorator) for decorator in node.decorator_list] == ["overload"]:
            only, defaults = shape(node)
            expected_only, expected = whole[node.name]
            assert (only, [*defaults]) == (expected_only, [*expected]), node.name
            assert {key for key in defaults if defaults[key] != expected[key]} <= TELLING_APART, node.name


# --- the stub of the compiled module -------------------------------------------------------------------------------------

STUB = PACKAGE / "_core.pyi"


def test_signatures_of_the_stub():
    for node in top_level(STUB, ast.FunctionDef):
        parameters = inspect.signature(getattr(_core, node.name)).parameters
        only, defaults = shape(node)
        assert defaults == {key: parameter.default for key, parameter in parameters.items()}, node.name
        assert only == [key for key, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY], node.name


def test_names_of_the_stub():
    functions = {name for name, value in vars(_core).items() if inspect.isroutine(value) and not name.startswith("_")}
    own = {name for name in functions if getattr(_core, name).__module__ == _core.__name__}
    assert own == {node.name for node in top_level(STUB, ast.FunctionDef)}
    assert {node.target.id for node in top_level(STUB, ast.AnnAssign)} <= vars(_core).keys()
    for node in top_level(STUB, ast.ClassDef):
        members = {getattr(member, "name", None) or member.target.id for member in node.body}
        assert members <= set(dir(getattr(_core, node.name))), node.name

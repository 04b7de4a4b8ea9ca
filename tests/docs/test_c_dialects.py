"""C on a page compiles in every dialect that an extension may be written in, the strictest way."""

import re

import pytest
from native_build import INCLUDE, ROOT, run

STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{INCLUDE}")


@pytest.mark.parametrize(
    "compiler", ["gcc -x c -std=c99", "gcc -x c -std=c11", "g++ -x c++ -std=c++11", "g++ -x c++ -std=c++17"]
)
def test_c_on_a_page_is_cpp_too(tmp_path, compiler):
    blocks = re.findall(r"```c\n(.*?)```", (ROOT / "docs" / "embedding.md").read_text(), re.DOTALL)
    assert any("fastroi_roi_align(" in block for block in blocks)
    for number, block in enumerate(blocks):
        source = tmp_path / f"page{number}.c"
        source.write_text(block)
        run(*compiler.split(), *STRICT, source)

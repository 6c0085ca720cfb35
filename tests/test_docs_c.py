"""docs/c.md: its sketch compiles against a real export, and the figures it prints are those of the code."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.commands_here import run_here
from tests.docs_pages import DOCS
from tests.test_commands import checkpoint

ARDUINO = """
#include <stddef.h>
struct Port {
    void begin(long) {}
    size_t readBytes(char *to, size_t bytes)
    {
        for (size_t n = 0; n < bytes; n++) to[n] = (char)(n % 17);
        return bytes;
    }
    void println(int) { printed++; }
    int printed = 0;
} Serial;
"""


@pytest.mark.skipif(not (shutil.which("cc") and shutil.which("c++")), reason="no C and C++ compilers")
def test_the_sketch_runs(tmp_path, capfd):
    (sketch,) = re.findall(r"^```cpp\n(.*?)^```$", (DOCS / "c.md").read_text(encoding="utf-8"), re.M | re.S)
    checkpoint(tmp_path / "model.pt")
    done = run_here(
        ["export", tmp_path / "model.pt", "--target", "c", "--chip", "loihi2", "-o", tmp_path / "out"], capfd
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "c"
    (folder / "main.c").unlink()
    main = "int main() { setup(); loop(); return Serial.printed == 1 ? 0 : 1; }\n"
    (folder / "sketch.cpp").write_text(ARDUINO + sketch + main)
    subprocess.run(["cc", "-std=c99", "-c", "network.c", "constants.c"], cwd=folder, check=True)
    build = ["c++", "-Wall", "-Wextra", "-Werror", "sketch.cpp", "network.o", "constants.o", "-o", "sketch"]
    subprocess.run(build, cwd=folder, check=True)
    assert subprocess.run([folder / "sketch"]).returncode == 0

"""Builds liblarder with CMake, then the module that speaks to it (cffi, one stable ABI for every Python 3).

LARDER_BUILD_DIR: a CMake build of this tree whose lib/liblarder.so is taken as it is.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIBRARY = "liblarder.so.0"


def version() -> str:
    text = (ROOT / "CMakeLists.txt").read_text()
    found = re.search(r"project\(larder VERSION (\S+)", text)
    assert found, "no version in CMakeLists.txt"
    return found.group(1)


def run(*command: str) -> None:
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is not installed. On Debian: {ROOT}/scripts/deps build") from None
    except subprocess.CalledProcessError:
        raise SystemExit(
            f"liblarder could not be built (see above). What it needs, on Debian: {ROOT}/scripts/deps build"
        ) from None


def library_dir() -> Path:
    given = os.environ.get("LARDER_BUILD_DIR")
    return (Path(given) if given else ROOT / "build" / "python") / "lib"


class BuildPy(build_py):
    """Not beside what an earlier version left in build/."""

    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib) / "larder", ignore_errors=True)
        super().run()


class BuildExt(build_ext):
    """The C library first, and a copy of it beside the module."""

    def run(self) -> None:
        where = library_dir()
        if not os.environ.get("LARDER_BUILD_DIR"):
            build = str(where.parent)
            options = ("-DCMAKE_BUILD_TYPE=Release", "-DLARDER_TESTS=OFF", "-DLARDER_GATEWAY=OFF")
            run("cmake", "-S", str(ROOT), "-B", build, "-G", "Ninja", *options)
            run("cmake", "--build", build, "--target", "larder")
        if not (where / LIBRARY).exists():
            raise SystemExit(f"there is no {LIBRARY} in {where}")
        super().run()
        target = HERE / "larder" if self.inplace else Path(self.build_lib) / "larder"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile((where / LIBRARY).resolve(), target / LIBRARY)


setup(
    version=version(),
    cffi_modules=["ffi_build.py:ffi"],
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)

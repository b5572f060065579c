"""Declares to cffi what client/larder.h (and the header that it includes) declares, and what shim.h adds. The C compiler checks all of it."""

import os
import re
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def declarations(path: Path) -> str:
    """A header without what only a preprocessor and C++ understand."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return text.replace("LDR_API", "")


CALLBACKS = """
extern "Python" int larder_py_progress(void *ctx, const struct ldr_progress *p);
extern "Python" void larder_py_done(struct ldr_req *r, int code, const struct ldr_err *err);
extern "Python" void larder_py_log(void *ctx, int level, const char *text);
"""

given = os.environ.get("LARDER_BUILD_DIR")
library = (Path(given) if given else ROOT / "build" / "python") / "lib"

ffi = FFI()
ffi.cdef(declarations(HERE / "shim.h"))
for name in ("larder.h", "larder_scan.h"):
    ffi.cdef(declarations(ROOT / "client" / name))
ffi.cdef(CALLBACKS)
ffi.set_source(
    "larder._larder",
    '#include "shim.h"\n#include "larder.h"\n#include "shim.c"\n',
    include_dirs=[str(HERE), str(ROOT / "client")],
    library_dirs=[str(library)],
    libraries=["larder"],
    extra_link_args=["-Wl,-rpath,$ORIGIN"],
    py_limited_api=True,
)

if __name__ == "__main__":
    ffi.compile(verbose=True)

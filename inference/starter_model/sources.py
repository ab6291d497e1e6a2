"""What the starter model learns from: one row per Debian package, all permissively licensed.

To add a package, add a row. `kind` is "source" (fetched with `apt-get source`) or "installed" (files
already on the machine). `licence` is the package's main licence as in its debian/copyright; files that
name a licence of the GPL family are left out one by one, see corpus.py. A `held_out` package is never
trained on: the evaluation reads it as a repository the model has not seen.

Left out on purpose: leveldb, gin, express, flask, nlohmann/json, ripgrep, fmt and redis, in any version
and wherever another package carries a copy, because completions are measured on them.
"""

from typing import NamedTuple


class Source(NamedTuple):
    package: str
    licence: str
    roots: tuple[str, ...] = ("",)  # folders inside the package; "" is all of it
    kind: str = "source"
    cap: int = 3_000_000  # bytes of text taken at most, so that no package drowns the others
    held_out: bool = False


SOURCES = (
    # C
    Source("zlib", "Zlib"),
    Source("lua5.4", "MIT"),
    Source("musl", "MIT", cap=2_500_000),
    Source("libuv1", "MIT", cap=2_500_000),
    Source("libevent", "BSD-3-Clause"),
    Source("curl", "curl"),
    Source("tmux", "ISC"),
    Source("libarchive", "BSD-2-Clause"),
    Source("mbedtls", "Apache-2.0"),
    Source("sqlite3", "public-domain", cap=4_000_000),
    Source("nghttp2", "MIT"),
    Source("libsodium", "ISC", cap=1_500_000),
    Source("libxml2", "MIT"),
    Source("glfw3", "Zlib"),
    # C++
    Source("abseil", "Apache-2.0", cap=6_000_000),
    Source("re2", "BSD-3-Clause"),
    Source("googletest", "BSD-3-Clause"),
    Source("snappy", "BSD-3-Clause"),
    Source("catch2", "BSL-1.0", roots=("src", "include", "projects")),
    Source("glm", "MIT", cap=1_500_000),
    Source("benchmark", "Apache-2.0"),
    Source("simdjson", "Apache-2.0", roots=("src", "include", "tests", "tools")),
    Source("ninja-build", "Apache-2.0"),
    Source("spirv-tools", "Apache-2.0", cap=4_000_000),
    Source("highway", "Apache-2.0"),
    Source("onetbb", "Apache-2.0", cap=3_500_000),
    Source("protobuf", "BSD-3-Clause", roots=("src",), cap=4_500_000),
    Source("rapidjson", "MIT"),
    Source("pugixml", "MIT"),
    Source("doctest", "MIT", roots=("doctest/parts", "examples")),
    Source("cli11", "BSD-3-Clause"),
    Source(
        "libboost1.81-dev",
        "BSL-1.0",
        roots=tuple(
            "/usr/include/boost/" + part
            for part in ("algorithm", "asio", "beast", "container", "filesystem", "json", "unordered", "url")
        ),
        kind="installed",
        cap=4_000_000,
    ),
    # Python
    Source("libpython3.11-stdlib", "PSF-2.0", roots=("/usr/lib/python3.11",), kind="installed", cap=9_000_000),
    Source("python3-numpy", "BSD-3-Clause", roots=("/usr/lib/python3/dist-packages/numpy",), kind="installed", cap=5_000_000),
    Source("python3-torch", "BSD-3-Clause", roots=("/usr/lib/python3/dist-packages/torch",), kind="installed", cap=6_000_000),
    Source("python3-matplotlib", "PSF-based (matplotlib)", roots=("/usr/lib/python3/dist-packages/matplotlib",), kind="installed"),
    Source("python3-fonttools", "MIT", roots=("/usr/lib/python3/dist-packages/fontTools",), kind="installed"),
    Source("python3-setuptools", "MIT", roots=("/usr/lib/python3/dist-packages/setuptools",), kind="installed"),
    Source("python3-pil", "HPND", roots=("/usr/lib/python3/dist-packages/PIL",), kind="installed"),
    Source("python3-psutil", "BSD-3-Clause", roots=("/usr/lib/python3/dist-packages/psutil",), kind="installed"),
    Source("rich", "MIT", roots=("rich", "tests", "examples")),
    # Never trained on.
    Source("jansson", "MIT", held_out=True),
    Source("libyaml", "MIT", held_out=True),
    Source("yaml-cpp", "MIT", roots=("src", "include", "util"), held_out=True),
    Source("jinja2", "BSD-3-Clause", held_out=True),
    Source("tinyxml2", "Zlib", held_out=True),
)

# For a check of the recipe: no network, a second's work.
SMOKE_SOURCES = (
    Source("libpython3.11-stdlib", "PSF-2.0", roots=("/usr/lib/python3.11",), kind="installed", cap=2_000_000),
)

LANGUAGES = {
    ".c": "C",
    ".h": "C",  # a header of a repository that holds C++ sources counts as C++, see corpus.py
    ".cc": "C++",
    ".cpp": "C++",
    ".cxx": "C++",
    ".hh": "C++",
    ".hpp": "C++",
    ".hxx": "C++",
    ".ipp": "C++",
    ".py": "Python",
}

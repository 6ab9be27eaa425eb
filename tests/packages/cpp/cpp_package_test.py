"""The C++ package as a stranger meets it: `cmake --install`, moved elsewhere, then used by a project that sees nothing else.

cpp_package_test.py --build BUILD_FOLDER --scratch FOLDER --languages python,nodejs,ruby --cxx COMPILER
"""

import argparse
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import cases  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--build", type=Path, required=True)
parser.add_argument("--scratch", type=Path, required=True)
parser.add_argument("--languages", required=True)
parser.add_argument("--cxx", required=True)
options = parser.parse_args()
LANGUAGES = [name for name in options.languages.split(",") if name]
PREFIX = options.scratch / "moved" / "prefix"
# Nothing of the build tree may help the installed tree.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("LAMBED_") and k != "LD_LIBRARY_PATH"}


def run(*command: object, **more: str) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, env={**ENVIRONMENT, **more}, timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class CppPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        shutil.rmtree(options.scratch, ignore_errors=True)
        run("cmake", "--install", options.build, "--prefix", options.scratch / "first")
        PREFIX.parent.mkdir(parents=True)
        (options.scratch / "first").rename(PREFIX)

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(options.scratch, ignore_errors=True)

    def expect_greetings(self, output: str) -> None:
        space = {"python": " "}  # as json.dumps writes it
        expected = [f'{name}: {{"greeting":{space.get(name, "")}"Hello Ada"}}' for name in LANGUAGES]
        self.assertEqual(output.splitlines(), expected)

    def test_find_package_gives_shared_and_static_library(self) -> None:
        build = options.scratch / "build"
        run("cmake", "-S", HERE / "stranger", "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={PREFIX}",
            f"-DCMAKE_CXX_COMPILER={options.cxx}")
        run("cmake", "--build", build, "-j", os.cpu_count() or 1)
        self.expect_greetings(run(build / "stranger", *LANGUAGES))
        self.expect_greetings(run(build / "stranger_static", *LANGUAGES))
        self.assertIn("liblambed.so.", run("readelf", "-d", build / "stranger"))
        self.assertNotIn("liblambed.so.", run("readelf", "-d", build / "stranger_static"))

    def test_pkg_config_is_enough_for_a_compiler_line(self) -> None:
        search = {"PKG_CONFIG_PATH": str(PREFIX / "lib" / "pkgconfig")}
        flags = run("pkg-config", "--cflags", "--libs", "lambed", **search).split()
        folder = run("pkg-config", "--variable=libdir", "lambed", **search).strip()
        program = options.scratch / "by_hand"
        run(options.cxx, "-std=c++20", HERE / "stranger" / "main.cc", "-o", program, *flags, f"-Wl,-rpath,{folder}")
        self.expect_greetings(run(program, *LANGUAGES))

    def test_the_program_runs_where_it_was_moved(self) -> None:
        self.assertIn("lambed", run(PREFIX / "bin" / "lambed", "--version"))
        for language in LANGUAGES:
            source = {"python": "lambda_function.py", "nodejs": "index.js", "ruby": "lambda_function.rb"}[language]
            text = {"python": "def lambda_handler(event, context):\n    return 7\n",
                    "nodejs": "exports.handler = async () => 7\n",
                    "ruby": "def lambda_handler(event:, context:) = 7\n"}[language]
            folder = options.scratch / "functions" / language
            folder.mkdir(parents=True)
            (folder / source).write_text(text)
            self.assertEqual(run(PREFIX / "bin" / "lambed", "invoke", folder).strip(), "7", language)

    def test_the_library_exports_its_public_interface_and_nothing_else(self) -> None:
        lines = run("nm", "-DC", "--defined-only", PREFIX / "lib" / "liblambed.so").splitlines()
        exported = sorted({line.split(" ", 2)[2] for line in lines})
        expected = (HERE / "exported_symbols.txt").read_text().splitlines()
        new = [symbol for symbol in exported if symbol not in expected]
        gone = [symbol for symbol in expected if symbol not in exported]
        self.assertFalse(
            new or gone,
            "the binary interface changed. If that is meant, write it to tests/packages/cpp/exported_symbols.txt:\n"
            + "\n".join([f"+ {symbol}" for symbol in new] + [f"- {symbol}" for symbol in gone]))
        foreign = [s for s in exported if not s.removeprefix("typeinfo for ").removeprefix("typeinfo name for ")
                   .removeprefix("vtable for ").startswith("lambed::")]
        self.assertEqual(foreign, [])

    def test_the_soname_carries_the_version_of_the_interface(self) -> None:
        version = run("pkg-config", "--modversion", "lambed", PKG_CONFIG_PATH=str(PREFIX / "lib" / "pkgconfig")).strip()
        major, minor, _ = version.split(".")
        soname = f"liblambed.so.{major}" if major != "0" else f"liblambed.so.0.{minor}"
        self.assertIn(f"[{soname}]", run("readelf", "-d", PREFIX / "lib" / "liblambed.so"))
        self.assertTrue((PREFIX / "lib" / soname).exists())

    def test_nothing_of_the_build_tree_is_left_in_what_was_installed(self) -> None:
        text_files = [path for path in PREFIX.rglob("*") if path.suffix in (".cmake", ".pc", ".h")]
        self.assertTrue(text_files)
        for path in text_files:
            self.assertNotIn(str(options.build), path.read_text(), path)
        for path in [*(PREFIX / "lib").rglob("*.so"), PREFIX / "bin" / "lambed"]:
            self.assertNotIn(str(options.build), run("readelf", "-d", path), path)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    cases.main()

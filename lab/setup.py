"""Builds the distribution that setup.cfg describes: the lab, for the library of the same version, and the manual pages of its
commands. In a checkout both are taken from the library beside it; a source distribution carries them."""

import os
import re
import sys

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.join(HERE, "..", "lib")
IN_CHECKOUT = os.path.exists(os.path.join(LIBRARY, "backstay", "__init__.py"))
PAGES = os.path.join("build", "man") if IN_CHECKOUT else "man"
SECTION = "man8"


def version() -> str:
    """The library's."""
    path = os.path.join(LIBRARY, "backstay", "__init__.py") if IN_CHECKOUT else os.path.join(HERE, "PKG-INFO")
    with open(path, encoding="utf-8") as source:
        found = re.search(r'^(?:Version: |__version__ = ")([\w.]+)', source.read(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{path} has no version")
    return found[1]


def pages() -> "list[str]":
    """Their paths; made now in a checkout."""
    if IN_CHECKOUT:
        sys.path[:0] = [LIBRARY, HERE]
        from backstay.admin import manpage

        manpage.main(PAGES, "backstay_lab.commands")
    place = os.path.join(PAGES, SECTION)
    return [os.path.join(place, name) for name in sorted(os.listdir(place))]


class BuildWithPages(build_py):
    def run(self) -> None:
        super().run()
        self.distribution.data_files.append((f"share/man/{SECTION}", pages()))


class SourceWithPages(sdist):
    def make_release_tree(self, base_dir: str, files: "list[str]") -> None:
        super().make_release_tree(base_dir, files)
        for path in pages():
            target = os.path.join(base_dir, "man", SECTION)
            self.mkpath(target)
            self.copy_file(path, target)


VERSION = version()
setup(
    version=VERSION,
    install_requires=[f"backstay=={VERSION}", "PyMySQL>=1.0", "lxml>=4.9", "psutil>=5.9", "click>=8.0", "rich>=13.0"],
    data_files=[],
    cmdclass={"build_py": BuildWithPages, "sdist": SourceWithPages},
)

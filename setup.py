"""Builds the distribution that setup.cfg describes: the library, with the agents, the templates and the command as its data,
and the manual pages, which are made of the library."""

import os
import sys

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.join(HERE, "lib")
PARTS = {f"backstay.share.{part}": part for part in ("agents", "bin", "crm-templates")}  # as shipped.py looks for them
PAGES = os.path.join("build", "man")


class BuildWithPages(build_py):
    def run(self) -> None:
        super().run()
        sys.path.insert(0, LIBRARY)
        from backstay.admin import manpage

        names = [name for name, _ in manpage.pages()]
        manpage.main(PAGES)
        for section in sorted({os.path.dirname(name) for name in names}):
            pages = [os.path.join(PAGES, name) for name in names if os.path.dirname(name) == section]
            self.distribution.data_files.append((f"share/man/{section}", pages))


setup(
    package_dir={"": "lib", **PARTS},
    packages=[*find_packages("lib"), *PARTS],
    data_files=[],
    cmdclass={"build_py": BuildWithPages},
)

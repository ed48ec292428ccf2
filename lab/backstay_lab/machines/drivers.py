"""What kind of lab a directory holds, or is to hold: nodes of namespaces, or machines that Vagrant makes."""

from __future__ import annotations

import os

from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.layout import LabError
from backstay_lab.machines.vagrant import Vagrant


def driver(vagrant: bool) -> type[Lab]:
    """The kind of lab that an option --vagrant asks for."""
    return Vagrant if vagrant else Lab


def of(directory: str) -> Lab:
    """The handle for what is in this directory, alive or not."""
    lab = Lab(directory)
    known = os.path.exists(lab.layout.path("lab.json"))
    return driver(known and lab.kind == Vagrant.driver)(directory)


def attach(directory: str, kind: type[Lab] = Lab) -> Lab:
    """The lab that runs in this directory. kind: Lab for any, Vagrant for one of its machines alone.
    Raises LabError when there is none."""
    lab = type(of(directory)).attach(directory)
    if not isinstance(lab, kind):
        raise LabError(f"the nodes of the lab in {lab.layout.directory} are {lab.driver}, not {kind.driver}")
    return lab

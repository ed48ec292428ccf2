"""The systems that there are: one for each folder here that has a `declaration`. Look-ups, no table."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from backstay_lab import systems
from backstay_lab.machines.cluster import NONE, Topology
from backstay_lab.machines.layout import LabError

if TYPE_CHECKING:
    from backstay_lab.machines.faults import Daemon
    from backstay_lab.systems.declaration import Benched, Campaigned, Declaration, Rehearsed, Show


def declared() -> dict[str, Declaration]:
    """Name of the folder -> what it declares, in alphabetical order. All of them are loaded, with the modules that they need."""
    names = sorted(found.name for found in pkgutil.iter_modules(systems.__path__) if found.ispkg)
    return {name: importlib.import_module(f"{systems.__name__}.{name}.declaration").SYSTEM for name in names}


def rehearsed() -> dict[str, Rehearsed]:
    """Those with a workload and a table of faults."""
    return {name: one.rehearsed for name, one in declared().items() if one.rehearsed}


def campaigned() -> dict[str, Campaigned]:
    """Those that schedules of faults are drawn for."""
    return {name: one.campaigned for name, one in declared().items() if one.campaigned}


def benched() -> dict[str, Benched]:
    """Those that are kept alive in several ways, beside each other."""
    return {name: one.benched for name, one in declared().items() if one.benched}


def shows() -> dict[str, Show]:
    """Those that have a demo."""
    return {name: one.show for name, one in declared().items() if one.show}


def daemons() -> dict[str, Daemon]:
    """What faults can hit besides the cluster's own daemons."""
    return {name: daemon for one in declared().values() for name, daemon in one.daemons.items()}


def topologies() -> dict[str, Topology]:
    """What a lab can serve: `none`, which is fencing alone, and what the systems give. In each of them the daemons of all systems
    can be hit, since more can be deployed later."""
    known = daemons()
    every = {
        name: Topology(name, deploy, known, one.image)
        for one in declared().values()
        for name, deploy in one.topologies.items()
    }
    return {NONE.name: NONE._replace(daemons=known), **every}


def topology(name: str) -> Topology:
    """Raises LabError when no system gives one of this name."""
    known = topologies()
    if name not in known:
        raise LabError(f"no topology {name}; there are {', '.join(known)}")
    return known[name]

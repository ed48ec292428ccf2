"""What a system's folder declares: all that the rest of the proving ground must know of it, in one value.

`systems/NAME/declaration.py` holds it as SYSTEM; `catalogue` finds it there. No table outside the folder names the system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backstay_lab.machines.cluster import Lab
    from backstay_lab.machines.faults import Daemon
    from backstay_lab.nemesis.fault import Fault
    from backstay_lab.nemesis.victim import Traits
    from backstay_lab.systems.subject import Subject
    from backstay_lab.systems.system import System


class Rehearsed(NamedTuple):
    """For `backstay rehearse`. attach: the system of a lab. topology: the lab's that has it. client: what the figures are to be
    read with."""

    attach: Callable[[Lab], System]
    topology: str
    faults: Mapping[str, Fault]
    client: str


class Campaigned(NamedTuple):
    """For `backstay campaign`. name: the system's. traits: of each part, by its name; of a system that has no parts, its own by
    the name "". The order of the parts is part of what a seed gives. subject: load and evidence on a lab."""

    name: str
    traits: Mapping[str, Traits]
    subject: Callable[[Lab], Subject]


class Way(NamedTuple):
    """One way to keep the system alive, for the bench. name: of its agent. what: its configuration, in a line. deploy: gets a lab
    that holds nothing but fencing. notes: what had to be done so that it works, and what its times owe to our choice of settings.
    in_place: it may bring the server back where it was, instead of promoting another."""

    name: str
    what: str
    deploy: Callable[[Lab], None]
    attach: Callable[[Lab], System]
    notes: tuple[str, ...] = ()
    in_place: bool = False


class Benched(NamedTuple):
    """For `backstay bench`. ways: ours first. faults: names of those that all of them take, in their order."""

    ways: tuple[Way, ...]
    faults: tuple[str, ...]


class Show(NamedTuple):
    """For `backstay demo`. boots: what is booted. whole: what is waited for before each fault. load: who works meanwhile. story:
    fault -> what is done. tell: phase -> what a reader who does not know Pacemaker calls it. verdict: of an outcome's fields and
    those of its verdict."""

    boots: str
    whole: str
    load: str
    story: Mapping[str, str]
    tell: Mapping[str, str]
    verdict: str


class Declaration(NamedTuple):
    """title: for headings. topologies: name -> a function of a lab whose cluster has quorum and fencing, which returns when the
    system serves, and raises AgentError. daemons: name -> what faults can hit. The others: what it is to each of the commands,
    None where it is nothing to it. image: as Topology has it."""

    title: str
    topologies: Mapping[str, Callable[[Lab], None]] = {}
    daemons: Mapping[str, Daemon] = {}
    rehearsed: Rehearsed | None = None
    campaigned: Campaigned | None = None
    benched: Benched | None = None
    show: Show | None = None
    image: str = ""

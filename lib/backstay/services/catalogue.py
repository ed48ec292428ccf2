"""Finds a service by its name or its agent's type. Nothing is registered: a folder beside this file that declares a
service (declaration.py) is one."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from backstay import services
from backstay.services.advice import Advice
from backstay.services.declaration import Service

if TYPE_CHECKING:
    from backstay.agent.dispatch import Agent
    from backstay.cluster.model import Cluster, Resource

_PROVIDER = "ocf:backstay:"


def names() -> list[str]:
    """Of all services: the folders that declare one."""
    folders = [path for path in services.__path__ if os.path.isdir(path)]
    found = (name for path in folders for name in os.listdir(path) if _declares(os.path.join(path, name)))
    return sorted(found)


def declared(name: str) -> Service:
    """What the service of this name declares, nothing for one that does not exist."""
    if name not in names():
        return Service()
    found: Service = importlib.import_module(f"backstay.services.{name}.service").SERVICE
    return found


def agent_of(name: str) -> type[Agent]:
    """The class of a service's agent."""
    found: type[Agent] = importlib.import_module(f"backstay.services.{name}.agent").AGENT
    return found


def agent_class(agent: str) -> type[Agent] | None:
    """The class behind "ocf:backstay:NAME", None for other providers' agents and for names that no service has."""
    name = _name(agent)
    return agent_of(name) if name else None


def advice_of(resource: Resource) -> Advice:
    """What is to be said of this resource."""
    name = _name(resource.agent)
    if not name or importlib.util.find_spec(f"backstay.services.{name}.admin") is None:
        return Advice(resource)
    made: Advice = importlib.import_module(f"backstay.services.{name}.admin").Admin(resource)
    return made


def _name(agent: str) -> str:
    name = agent.removeprefix(_PROVIDER)
    return name if name != agent and name in names() else ""


def _declares(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "service.py"))


def advices_of(cluster: Cluster) -> list[Advice]:
    """One for each configured resource, in the order of the configuration."""
    return [advice_of(resource) for resource in cluster.resources]

"""Finds a service by its name or its agent's type. Nothing is registered: a folder beside this file is a service."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from backstay.services.service import Service

if TYPE_CHECKING:
    from backstay.agent.dispatch import Agent
    from backstay.cluster.model import Cluster, Resource

_PROVIDER = "ocf:backstay:"


def names() -> list[str]:
    """Of all services, which are those of their agents."""
    here = os.path.dirname(os.path.abspath(__file__))
    return sorted(name for name in os.listdir(here) if os.path.exists(os.path.join(here, name, "agent.py")))


def agent_of(name: str) -> type[Agent]:
    """The class of a service's agent."""
    found: type[Agent] = importlib.import_module(f"backstay.services.{name}.agent").AGENT
    return found


def agent_class(agent: str) -> type[Agent] | None:
    """The class behind "ocf:backstay:NAME", None for other providers' agents and for names that no service has."""
    name = _name(agent)
    return agent_of(name) if name else None


def service_of(resource: Resource) -> Service:
    """The part for this resource."""
    name = _name(resource.agent)
    if not name or importlib.util.find_spec(f"backstay.services.{name}.admin") is None:
        return Service(resource)
    made: Service = importlib.import_module(f"backstay.services.{name}.admin").Admin(resource)
    return made


def _name(agent: str) -> str:
    name = agent.removeprefix(_PROVIDER)
    return name if name != agent and name in names() else ""


def services_of(cluster: Cluster) -> list[Service]:
    """One for each configured resource, in the order of the configuration."""
    return [service_of(resource) for resource in cluster.resources]

"""Finds what our agents say to an admin, by the agent's type. Nothing is registered: a service brings its own modules."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from backstay.admin.service import Service

if TYPE_CHECKING:
    from backstay.admin.view import Cluster, Resource
    from backstay.agent import Agent

_PROVIDER = "ocf:backstay:"


def agent_class(agent: str) -> type[Agent] | None:
    """The class behind "ocf:backstay:NAME", None for other providers' agents."""
    name = agent.removeprefix(_PROVIDER)
    if name == agent or importlib.util.find_spec(f"backstay.{name}") is None:
        return None
    found: type[Agent] = getattr(importlib.import_module(f"backstay.{name}.agent"), name.capitalize())
    return found


def service_of(resource: Resource) -> Service:
    """The part for this resource."""
    name = resource.agent.removeprefix(_PROVIDER)
    if name == resource.agent or importlib.util.find_spec(f"backstay.{name}") is None:
        return Service(resource)
    if importlib.util.find_spec(f"backstay.{name}.admin") is None:
        return Service(resource)
    made: Service = importlib.import_module(f"backstay.{name}.admin").Admin(resource)
    return made


def services_of(cluster: Cluster) -> list[Service]:
    """One for each configured resource, in the order of the configuration."""
    return [service_of(resource) for resource in cluster.resources]

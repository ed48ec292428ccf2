"""What each value of a template is for, in the words of the agents' declarations."""

from backstay.admin import crm_parser, templates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from backstay.admin.crm_parser import Command
    from backstay.ocf.parameters import Parameter

_CLONE = {"clone-max": "Number of nodes that carry it.", "promoted-max": "Number of nodes that may be promoted."}


def described(text: str) -> "dict[str, str]":
    """Name -> what it is for, of every value of a template with what it includes. One that stands in several places is described
    by the first."""
    found = dict.fromkeys(templates.placeholders(text), "")
    for command in crm_parser.parse(text):
        for value, sentence in _options(command):
            for match in templates.PLACEHOLDER.finditer(value):
                found[match["name"]] = found[match["name"]] or sentence
    return found


def _sentences(parameter: "Parameter[Any]") -> str:
    """What the declaration says of it."""
    return f"{parameter.short.rstrip('.')}. {' '.join(parameter.long.split())}"


def _options(command: "Command") -> "Iterator[tuple[str, str]]":
    """Text and description of every option of a statement."""
    from backstay.ocf.parameters import parameters_of
    from backstay.services.catalogue import agent_class

    agent = agent_class(command.agent)
    declared = {one.name: one for one in parameters_of(agent.parameters_class())} if agent else {}
    for section, options in command.sections:
        for name, value in options:
            known = declared.get(name) if section == "params" else None
            yield value, f"{command.id}: {_sentences(known)}" if known else ""
    for name, value in command.options:
        yield value, f"{command.id}: {_CLONE[name]}" if name in _CLONE else ""

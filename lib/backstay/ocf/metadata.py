"""The declaration as OCF 1.1 meta-data.

Four validators disagree about details (ocf-tester's DTD, the OCF 1.1 RelaxNG, pcs's RelaxNG, crmsh's parser). What is
written here passes all: a DOCTYPE whose internal subset admits the 1.1 attributes, no encoding in the XML declaration
(crmsh parses a str), no type `select` (the DTD cannot take it), timeouts with their unit.
"""

from backstay import __version__
from backstay.ocf.parameters import actions_of, parameters_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from backstay.ocf.parameters import Actions, ActionSpec, Parameter

_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;"}

_HEAD = """<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd" [
<!ATTLIST action name CDATA #REQUIRED>
<!ATTLIST parameter unique-group CDATA #IMPLIED reloadable (0|1) #IMPLIED>
<!ATTLIST content type CDATA #REQUIRED>
]>
"""


def _text(text: str) -> str:
    """Escaped, with the line breaks of the source undone but paragraphs kept."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]
    return "\n\n".join(paragraphs).translate(_ESCAPES)


def describe(parameter: "Parameter[Any]") -> str:
    """The long description, with the choices that the content type cannot express."""
    choices = f" One of: {', '.join(parameter.choices)}." if parameter.choices else ""
    return parameter.long + choices


def _parameter(parameter: "Parameter[Any]") -> str:
    attributes = f' name="{parameter.name}"'
    if parameter.unique_group:
        attributes += f' unique-group="{parameter.unique_group}"'
    if parameter.required:
        attributes += ' required="1"'
    if parameter.reloadable:
        attributes += ' reloadable="1"'
    content = f' type="{parameter.content}"'
    if parameter.default:
        content += f' default="{parameter.default.translate(_ESCAPES)}"'
    return (
        f"<parameter{attributes}>\n"
        f'<longdesc lang="en">{_text(describe(parameter))}</longdesc>\n'
        f'<shortdesc lang="en">{_text(parameter.short)}</shortdesc>\n'
        f"<content{content}/>\n"
        "</parameter>\n"
    )


def _action(spec: "ActionSpec") -> str:
    attributes = f' name="{spec.name}" timeout="{spec.timeout}s"'
    if spec.interval:
        attributes += f' interval="{spec.interval}s"'
    if spec.depth:
        attributes += f' depth="{spec.depth}"'
    if spec.role:
        attributes += f' role="{spec.role.value}"'
    return f"<action{attributes}/>\n"


def render(agent_class: "type[Actions]") -> str:
    """The whole document."""
    declared = agent_class.parameters_class()
    return (
        f'{_HEAD}<resource-agent name="{declared.name}" version="{__version__}">\n'
        "<version>1.1</version>\n"
        f'<longdesc lang="en">{_text(declared.long)}</longdesc>\n'
        f'<shortdesc lang="en">{_text(declared.short)}</shortdesc>\n'
        f"<parameters>\n{''.join(_parameter(p) for p in parameters_of(declared))}</parameters>\n"
        f"<actions>\n{''.join(_action(a) for a in actions_of(agent_class))}</actions>\n"
        "</resource-agent>\n"
    )

"""The declaration as a manual page, ocf_backstay_NAME(7), in man(7) macros."""

from backstay import __version__
from backstay.ocf.metadata import describe
from backstay.ocf.parameters import actions_of, parameters_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from backstay.ocf.parameters import Actions, Parameter


def troff(text: str) -> str:
    """Escaped for troff: backslashes, hyphens that are typed, and lines that begin like a request."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]
    escaped = [paragraph.replace("\\", "\\e").replace("-", "\\-") for paragraph in paragraphs]
    return "\n.PP\n".join("\\&" + line if line.startswith((".", "'")) else line for line in escaped)


def _parameter(parameter: "Parameter[Any]") -> str:
    marks = [parameter.kind]
    marks += ["required"] if parameter.required else []
    marks += [f"default {parameter.default}"] if parameter.default else []
    marks += ["reloadable"] if parameter.reloadable else []
    return f".TP\n.B {troff(parameter.name)}\n({troff(', '.join(marks))})\n{troff(describe(parameter))}\n"


def render(agent_class: "type[Actions]") -> str:
    """The whole page."""
    declared = agent_class.parameters_class()
    name = f"ocf_backstay_{declared.name}"
    actions = ""
    for spec in actions_of(agent_class):
        role = f" {spec.role.value}" if spec.role else ""
        every = f", interval {spec.interval}s" if spec.interval else ""
        actions += f".TP\n.B {troff(spec.name)}{role}\ntimeout {spec.timeout}s{every}\n"
    return (
        f'.TH {name.upper()} 7 "" "Backstay {__version__}" "OCF resource agents"\n'
        f".SH NAME\n{troff(name)} \\- {troff(declared.short)}\n"
        f".SH DESCRIPTION\n{troff(declared.long)}\n"
        f".SH PARAMETERS\n{''.join(map(_parameter, parameters_of(declared)))}"
        f".SH ACTIONS\nWith the timeouts and intervals that suit most; the cluster's configuration decides.\n{actions}"
        ".SH SEE ALSO\n.BR crm (8),\n.BR pcs (8),\n.BR crm_mon (8)\n"
    )

"""A topology as pcs commands: a shell script that an admin can read, and run with nothing but pcs. Pure.

pcs gives a clone its meta attributes in different words from version to version; `resource meta` means the same in all. Where
nothing does, the script asks the version: before 0.12 the score of a location is a word of its own and a rule is many, since then
the score has a name and a rule is one word.
"""

import re
import shlex

from backstay.ocf.errors import WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from backstay.admin.crm_parser import Command

_HEAD = """#!/bin/sh
# Read it, then run it as root on one node of the running cluster. All of it is applied at once, or nothing is.
# With a file as its argument it changes that copy of the configuration and leaves the cluster alone:
#     pcs cluster cib copy.xml; sh {name} copy.xml; crm_verify -V -x copy.xml; pcs cluster cib-push copy.xml
# It creates: resources of the same names must not exist yet.
set -eu
umask 077 # the configuration holds passwords; they get there without being arguments, which every user can read
if [ $# -gt 0 ]; then
    cib=$1
else
    cib=$(mktemp)
    trap 'rm -f "$cib" "$cib.original"' EXIT
    pcs cluster cib "$cib"
    cp "$cib" "$cib.original"
fi
"""
_BY_VERSION = """
# by_version WORD WORDS COMMAND…: a command of pcs that ends with WORD, or before 0.12 with WORDS
by_version() {
    word=$1 words=$2
    shift 2
    case $(pcs --version) in
    0.9.* | 0.10.* | 0.11.*) set -f; pcs -f "$cib" "$@" $words; set +f ;;
    *) pcs -f "$cib" "$@" "$word" ;;
    esac
}
"""
_ENDS = "by_version"  # first of the words of a command whose end differs: then the end since 0.12, and the one before
_TAIL = """
[ $# -gt 0 ] || pcs cluster cib-push "$cib" diff-against="$cib.original"
"""


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}  # the first of them first


def script(commands: "Sequence[Command]", name: str, secret: "Mapping[str, Collection[str]]") -> str:
    """The whole script; `name` is what the file will be called. secret: agent -> its parameters that are. Raises WrongParameter
    for what pcs cannot say."""
    parts, secrets = [_HEAD.format(name=name)], {}
    if any(command.kind == "location" for command in commands):
        parts.append(_BY_VERSION)
    for command in commands:
        secrets.update(_take_secrets(command, secret.get(command.agent, ())))
        comments = "".join(f"# {line}".rstrip() + "\n" if line else "\n" for line in command.comments)
        parts.append(comments + "".join(f"{_line(words)}\n" for words in _words(command)))
    return "".join(parts) + _filled_in(secrets) + _TAIL


def _take_secrets(command: "Command", names: "Collection[str]") -> "dict[str, str]":
    """Put a mark in the place of each value that is a secret: mark -> value. lrm:// is none, it says where the secret is."""
    found = {}
    for section, options in command.sections:
        for at, (name, value) in enumerate(options):
            if section == "params" and name in names and value != "lrm://":
                mark = f"@{command.id}:{name}@"  # no value of a template has that character
                options[at] = name, mark
                found[mark] = value
    return found


def _filled_in(secrets: "dict[str, str]") -> str:
    """The lines that put secrets into the file of the configuration, by sed's standard input."""
    if not secrets:
        return ""
    lines = (f"s/{mark}/{_for_sed(value)}/" for mark, value in secrets.items())
    return "\n".join(["", "# Secrets.", "sed -i -f - \"$cib\" <<'SECRETS'", *lines, "SECRETS", ""])


def _for_sed(value: str) -> str:
    """A value as text of an XML attribute, on the right side of sed's s///."""
    for character, name in _ENTITIES.items():
        value = value.replace(character, name)
    return re.sub(r"[\\/&]", r"\\\g<0>", value)


def _line(words: "Sequence[str]") -> str:
    """One command over several lines where it is long; a break comes before the words that begin a part."""
    text, width = ("by_version", 0) if words[0] == _ENDS else ('pcs -f "$cib"', 0)
    for at, word in enumerate(words[words[0] == _ENDS :]):
        width += len(word) + 1
        new = at > 3 and (word in ("op", "meta") or width > 100)
        width = len(word) + 4 if new else width
        text += (" \\\n    " if new else " ") + shlex.quote(word)
    return text


def _pairs(options: "Iterable[tuple[str, str]]") -> "list[str]":
    return [f"{name}={value}" for name, value in options]


def _words(command: "Command") -> "list[list[str]]":
    """One or more pcs commands, without the program and its file."""
    writers = {
        "property": lambda: [["property", "set", *_pairs(command.options)]],
        "rsc_defaults": lambda: [["resource", "defaults", "update", *_pairs(command.options)]],
        "op_defaults": lambda: [["resource", "op", "defaults", "update", *_pairs(command.options)]],
        "primitive": lambda: _primitive(command),
        "clone": lambda: _clone(command),
        "group": lambda: _group(command),
        "colocation": lambda: [_colocation(command)],
        "order": lambda: [_order(command)],
        "location": lambda: [_location(command)],
    }
    return writers[command.kind]()


def _primitive(command: "Command") -> "list[list[str]]":
    noun = "stonith" if command.agent.startswith("stonith:") else "resource"
    words = [noun, "create", command.id, command.agent.removeprefix("stonith:")]
    words += [word for name, options in command.sections if name == "params" for word in _pairs(options)]
    for name, options in command.sections:
        if name.startswith("op "):
            words += ["op", name[3:], *_pairs(options)]
    meta = [word for name, options in command.sections if name == "meta" for word in _pairs(options)]
    words += ["meta", *meta] if meta else []
    words += ["--no-default-ops"] if any(name.startswith("op ") for name, _ in command.sections) else []
    utilization = [word for name, options in command.sections if name == "utilization" for word in _pairs(options)]
    return [words] + ([["resource", "utilization", command.id, *utilization]] if utilization else [])


def _clone(command: "Command") -> "list[list[str]]":
    made = [["resource", "clone", command.members[0][0], command.id]]
    return made + ([["resource", "meta", command.id, *_pairs(command.options)]] if command.options else [])


def _group(command: "Command") -> "list[list[str]]":
    made = [["resource", "group", "add", command.id, *(name for name, _ in command.members)]]
    return made + ([["resource", "meta", command.id, *_pairs(command.options)]] if command.options else [])


def _colocation(command: "Command") -> "list[str]":
    (one, role), (other, other_role) = command.members
    words = ["constraint", "colocation", "add", *([role] if role else []), one]
    words += ["with", *([other_role] if other_role else []), other]
    return [*words, f"score={command.score}", f"id={command.id}"]


def _order(command: "Command") -> "list[str]":
    if len(command.members) > 2:
        raise WrongParameter(f"order {command.id}: pcs takes two resources; write one order for each pair")
    (first, action), (then, then_action) = command.members
    then_action = then_action or action  # as Pacemaker reads an order without it; pcs would write start
    words = ["constraint", "order", *([action] if action else []), first]
    words += ["then", *([then_action] if then_action else []), then]
    return [*words, f"kind={command.score}", *_pairs(command.options), f"id={command.id}"]


def _location(command: "Command") -> "list[str]":
    resource, role = command.members[0]
    if command.node:
        if role:
            raise WrongParameter(f"location {command.id}: pcs takes a role only with a rule")
        # A word that begins with - would be one of pcs's options.
        score = f"-- {command.score}" if command.score.startswith("-") else command.score
        ends = [_ENDS, f"score={command.score}", score]
        return [*ends, "constraint", "location", "add", command.id, resource, command.node]
    rule = " ".join(command.rule)
    words = [_ENDS, rule, rule, "constraint", "location", resource, "rule", f"constraint-id={command.id}"]
    words += [f"role={role}"] if role else []
    return [*words, f"score={command.score}"]

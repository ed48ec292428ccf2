"""The CIB's configuration as values, resolved as Pacemaker does: templates, references by id, sets of resources, tags. Pure.

A constraint over sets becomes the pairs that it stands for (pcmk_sched_colocation.c, pcmk_sched_ordering.c), and one that names
a tag or a template is there for each of its resources.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any

from backstay.cluster.model import Constraint, Operation, Resource, Rule
from backstay.ocf.codes import role_name
from backstay.ocf.parameters import parse_time, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HOLDERS = ("clone", "master", "group", "bundle")
_NAMES = ("rsc", "with-rsc", "first", "then")  # attributes of a constraint that name a resource


class Configuration:
    """Of one CIB, its root element. What refers to nothing reads as absent, as Pacemaker ignores it."""

    def __init__(self, cib: Any) -> None:
        self._cib = cib
        self._by_id = {str(one.get("id")): one for one in cib.iterfind("configuration//*[@id]")}
        self._tags = {
            str(tag.get("id")): [str(one.get("id")) for one in tag.iterfind("obj_ref")]
            for tag in cib.iterfind("configuration/tags/tag")
        }
        for one in cib.iterfind("configuration/resources//primitive[@template]"):
            self._tags.setdefault(str(one.get("template")), []).append(str(one.get("id")))

    def resources(self) -> Iterator[Resource]:
        """All primitives, in the order of the configuration."""
        defaults = self._defaults()
        for element in self._cib.iterfind("configuration/resources//primitive"):
            around = [parent for parent in element.iterancestors() if parent.tag in _HOLDERS]
            template = self._by_id.get(str(element.get("template")))
            own = [element] if template is None else [template, element]
            meta = dict(defaults)
            for holder in [*reversed(around), *own]:
                meta.update({"promotable": "true"} if holder.tag == "master" else {})
                meta.update(self.pairs(holder, "meta_attributes"))
            kind = [str(own[0].get(part)) for part in ("class", "provider", "type") if own[0].get(part)]
            yield Resource(
                id=str(element.get("id")),
                agent=":".join(kind),
                containers=tuple(str(parent.get("id")) for parent in around),
                parameters={
                    name: value for one in own for name, value in self.pairs(one, "instance_attributes").items()
                },
                meta=meta,
                utilization={name: units for one in own for name, units in self.room(one).items()},
                cloned=any(parent.tag in ("clone", "master") for parent in around),
                operations=tuple(self._operations(own)),
            )

    def constraints(self) -> Iterator[Constraint]:
        for element in self._cib.iterfind("configuration/constraints/*"):
            kind = str(element.tag).removeprefix("rsc_")
            rule = self._rule(element)
            for attributes in self._pairwise(kind, element):
                named = [name for name in _NAMES if name in attributes]
                for chosen in product(*(self._tags.get(attributes[name], [attributes[name]]) for name in named)):
                    yield Constraint(kind, str(element.get("id")), {**attributes, **dict(zip(named, chosen))}, rule)

    def pairs(self, element: Any, kind: str) -> dict[str, str]:
        """Of all sets of a kind that have no rule, the ones with the greater score first: the first value counts."""
        found: dict[str, str] = {}
        sets = [self._referred(one) for one in element.iterfind(kind)]
        plain = [one for one in sets if one is not None and one.find("rule") is None]
        for one in sorted(plain, key=_score, reverse=True):
            for pair in map(self._referred, one.iterfind("nvpair")):
                if pair is not None:
                    found.setdefault(str(pair.get("name")), str(pair.get("value")))
        return found

    def room(self, element: Any) -> dict[str, int]:
        """Of a node what it has, of a resource what it takes."""
        units = {name: whole(value) for name, value in self.pairs(element, "utilization").items()}
        return {name: value for name, value in units.items() if value is not None}

    def _referred(self, element: Any) -> Any:
        """The element itself, or the one that it stands for, None where that is not there."""
        reference = element.get("id-ref")
        return element if reference is None else self._by_id.get(str(reference))

    def _defaults(self) -> dict[str, str]:
        """Meta attributes that all resources have unless they say otherwise. A set with a rule is for some of them: left out."""
        place = self._cib.find("configuration/rsc_defaults")
        return {} if place is None else self.pairs(place, "meta_attributes")

    def _operations(self, own: list[Any]) -> Iterator[Operation]:
        """A resource's own; of its template's those whose name and role are not among them (unpack_template of Pacemaker)."""
        *template, mine = [list(self._listed(holder)) for holder in own]
        taken = {(one.name, one.role == "Promoted") for one in mine}
        yield from mine
        yield from (one for each in template for one in each if (one.name, one.role == "Promoted") not in taken)

    def _listed(self, holder: Any) -> Iterator[Operation]:
        places = [one for one in map(self._referred, holder.iterfind("operations")) if one is not None]
        ops = [self._referred(op) for place in places for op in place.iterfind("op")]
        yield from (_operation(op) for op in ops if op is not None)

    def _rule(self, element: Any) -> Rule | None:
        rule = element.find("rule")
        rule = None if rule is None else self._referred(rule)
        return None if rule is None else _rule(rule)

    def _pairwise(self, kind: str, element: Any) -> Iterator[dict[str, str]]:
        own = {
            str(name): role_name(str(value)) if str(name).endswith("role") else str(value)
            for name, value in element.items()
        }
        sets = [one for one in map(self._referred, element.iterfind("resource_set")) if one is not None]
        if not sets:
            yield own
        elif kind == "location":
            yield from ({**own, "rsc": name} for one in sets for name in _members(one))
        elif kind == "colocation":
            yield from ({**own, **pair} for pair in self._colocated(sets))
        elif kind == "order":
            yield from ({**own, **pair} for pair in self._ordered(sets))

    def _colocated(self, sets: list[Any]) -> Iterator[dict[str, str]]:
        def pair(one: str, of: Any, other: str, others: Any) -> dict[str, str]:
            named = {"rsc": one, "rsc-role": _role(of), "with-rsc": other, "with-rsc-role": _role(others)}
            return {name: value for name, value in named.items() if value}

        for one in sets:
            names = _members(one)
            if _sequential(one):  # each goes with the one before it
                yield from (pair(later, one, earlier, one) for earlier, later in zip(names, names[1:]))
        for one, other in zip(sets, sets[1:]):  # the earlier set goes with the later one
            ours = _members(one)[:1] if _sequential(one) else _members(one)
            theirs = _members(other)[-1:] if _sequential(other) else _members(other)
            yield from (pair(mine, one, its, other) for mine in ours for its in theirs)

    def _ordered(self, sets: list[Any]) -> Iterator[dict[str, str]]:
        def pair(one: str, of: Any, other: str, others: Any) -> dict[str, str]:
            first, then = (str(each.get("action") or "start") for each in (of, others))
            return {"first": one, "first-action": first, "then": other, "then-action": then}

        for one in sets:
            names = _members(one)
            if _sequential(one):
                yield from (pair(earlier, one, later, one) for earlier, later in zip(names, names[1:]))
        for one, other in zip(sets, sets[1:]):
            ours = _members(one)[-1:] if _sequential(one) else _members(one)
            theirs = _members(other)[:1] if _sequential(other) else _members(other)
            yield from (pair(mine, one, its, other) for mine in ours for its in theirs)


def _members(of: Any) -> list[str]:
    return [str(one.get("id")) for one in of.iterfind("resource_ref")]


def _sequential(of: Any) -> bool:
    return str(of.get("sequential", "true")).lower() not in ("false", "no", "off", "0", "n")


def _role(of: Any) -> str:
    return role_name(str(of.get("role") or ""))


def _score(of: Any) -> float:
    return weight(str(of.get("score") or "0"))


def weight(score: str) -> float:
    """A score as a number; 0 for what is none, as of a rule whose score is an attribute's."""
    text = score.replace("INFINITY", "inf")
    return float(text) if re.fullmatch(r"[-+]?(inf|\d+)", text) else 0.0


def _operation(op: Any) -> Operation:
    return Operation(
        name=str(op.get("name")),
        interval=_seconds(op.get("interval")) or 0.0,
        timeout=_seconds(op.get("timeout")),
        role=role_name(str(op.get("role") or "")),
        on_fail=str(op.get("on-fail") or ""),
        id=str(op.get("id") or ""),
    )


def _seconds(text: str | None) -> float | None:
    """None for no time, and for one that we cannot read: Pacemaker knows more notations."""
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None


def _rule(element: Any) -> Rule:
    parts = tuple(_rule(one) if one.tag == "rule" else _expression(one) for one in element if one.tag is not None)
    operator = str(element.get("boolean-op") or "and")
    return Rule(str(element.get("score") or ""), operator, parts, role_name(str(element.get("role") or "")))


def _expression(element: Any) -> Mapping[str, str]:
    """An expression's attributes; without `attribute` when it is about a date, a resource or an operation."""
    return {str(name): str(value) for name, value in element.items()} if element.tag == "expression" else {}

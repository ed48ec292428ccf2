"""One declaration gives parsing, defaults, validation, dispatch, meta-data and the manual page.

Parameters are typed attributes of one class, actions are methods of another that are marked with `@action`:

    class VipParameters(Parameters):
        ip = Text("The address", "IPv4 or IPv6, without a prefix.", required=True, unique_group="address")

    class Vip(Agent):
        @action(timeout=20, interval=10)
        def monitor(self) -> ExitCode: ...

Reading `parameters.ip` converts the text that Pacemaker passed and raises Misconfigured when it does not fit. In a probe and
in stop a value that does not fit reads as its default instead: a typo must not ban a node or fence it. Other actions than
start go on with the last values that fitted (agent/context.py): a typo must not end what runs.
"""

from __future__ import annotations

from backstay.ocf.errors import Misconfigured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Generic, Self, TypeVar, overload

    from backstay.ocf.codes import Role
    from backstay.ocf.invocation import Invocation

    Method = TypeVar("Method", bound=Callable[..., Any])
    Number = TypeVar("Number", int, float)
    Value = TypeVar("Value")
else:  # `typing` is slow to load

    class Generic:
        def __class_getitem__(cls, value: object) -> type:
            return cls

    def overload(method: object) -> object:
        return method

    Value = object

_TRUE = {"1", "y", "yes", "on", "true"}  # as pcmk__parse_bool(), any case
_FALSE = {"0", "n", "no", "off", "false"}
_DIGITS = 16  # of a whole number, at most
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "msec": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0}


def parse_time(text: str) -> float:
    """Seconds from Pacemaker's notation: `3`, `3s`, `500ms`, `2min`, `1h`. Raises ValueError."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text[len(number) :].strip()
    if unit not in _UNITS or not number.strip().replace(".", "", 1).isdigit():
        raise ValueError("a time such as 3s, 500ms or 2min")
    return float(number) * _UNITS[unit]


def parse_boolean(text: str) -> bool:
    """Raises ValueError."""
    word = text.lower()
    if word not in _TRUE and word not in _FALSE:
        raise ValueError("true or false")
    return word in _TRUE


def parse_integer(text: str) -> int:
    """Raises ValueError."""
    if not text.lstrip("-").isdigit():
        raise ValueError("a whole number")
    return int(text)


def whole(text: str) -> int | None:
    """A whole number as programs and people write it: ASCII digits, not more than count anything. None for all else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None


class Parameter(Generic[Value]):
    """A parameter of an agent, declared by one of the classes below.

    default: text, as an admin would write it; "" leaves an unset parameter empty, which only Text, Choice and
    OptionalCount can be. choices: the only values of a Choice. minimum, maximum: bounds of a number or time. reloadable:
    a change needs no restart. secret: never shown in logs and exit reasons.
    """

    kind = "string"  # for the manual page
    content = "string"  # for the meta-data: string, integer or boolean; ocf-tester's DTD rejects OCF 1.1's `select`
    unset: Value  # of one without a default; a class that lacks it needs a default

    def __init__(
        self,
        short: str,
        long: str,
        default: str = "",
        *,
        required: bool = False,
        choices: tuple[str, ...] = (),
        minimum: float | None = None,
        maximum: float | None = None,
        unique_group: str = "",
        reloadable: bool = False,
        secret: bool = False,
    ) -> None:
        self.name = ""
        self.short = short
        self.long = long
        self.default = default
        self.required = required
        self.choices = choices
        self.minimum = minimum
        self.maximum = maximum
        self.unique_group = unique_group
        self.reloadable = reloadable
        self.secret = secret

    def __set_name__(self, owner: type[Parameters], name: str) -> None:
        """Raises TypeError where an unset parameter would not have its type."""
        if not self.default and not hasattr(self, "unset"):
            raise TypeError(f"{name}: a {type(self).__name__} needs a default")
        self.name = name

    @overload
    def __get__(self, given: None, owner: type[Parameters]) -> Self: ...

    @overload
    def __get__(self, given: Parameters, owner: type[Parameters]) -> Value: ...  # noqa: F811  ruff takes the other `overload`

    def __get__(self, given: Parameters | None, owner: type[Parameters]) -> Self | Value:  # noqa: F811
        """Of an instance the value; of the class the declaration. Raises Misconfigured."""
        if given is None:
            return self
        try:
            return self.parse(given.invocation.parameters.get(self.name) or "")
        except Misconfigured:
            if not given.lenient:
                raise
            return self.parse("", lenient=True)

    def convert(self, text: str) -> Value:
        """The value of a text that is not empty. Raises ValueError, which says what is needed."""
        raise NotImplementedError

    def parse(self, text: str, lenient: bool = False) -> Value:
        """The value of `text`; empty text means the default. Raises Misconfigured. `lenient` lets a required one be unset."""
        if not text and self.required and not lenient:
            raise Misconfigured(f"parameter {self.name} is not set: {self.short}")
        text = text or self.default
        if not text:
            return self.unset
        try:
            return self.convert(text)
        except ValueError as error:
            raise Misconfigured(f"parameter {self.name}={text}: {error} is needed") from None

    def fits(self, text: str) -> bool:
        """Whether the text can be converted."""
        try:
            self.parse(text)
        except Misconfigured:
            return False
        return True

    def within(self, number: Number) -> Number:
        """The number. Raises ValueError where it is out of bounds."""
        if self.minimum is not None and number < self.minimum:
            raise ValueError(f"at least {self.minimum:g}")
        if self.maximum is not None and number > self.maximum:
            raise ValueError(f"at most {self.maximum:g}")
        return number


class Text(Parameter[str]):
    """Unset it is ""."""

    unset = ""

    def convert(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:  # bytes that the locale does not know
            raise ValueError("text in UTF-8") from None
        return text


class Choice(Text):
    """One of `choices`, or "" where it is unset and has no default."""

    def convert(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError(f"one of {', '.join(self.choices)}")
        return text


class Seconds(Parameter[float]):
    """A time in Pacemaker's notation."""

    kind = "time"

    def convert(self, text: str) -> float:
        return self.within(parse_time(text))


class Count(Parameter[int]):
    """A whole number."""

    kind = content = "integer"

    def convert(self, text: str) -> int:
        return self.within(parse_integer(text))


class OptionalCount(Parameter["int | None"]):
    """A whole number, or None where it is unset and has no default."""

    kind = content = "integer"
    unset = None

    def convert(self, text: str) -> int:
        return self.within(parse_integer(text))


class Flag(Parameter[bool]):
    """True or false, in any of Pacemaker's words."""

    kind = content = "boolean"

    def convert(self, text: str) -> bool:
        return parse_boolean(text)


class Parameters:
    """The parameters of one call, and the texts that introduce the agent. Subclasses declare both."""

    name = ""
    short = ""
    long = ""

    def __init__(self, invocation: Invocation) -> None:
        """`lenient` can be set: then what does not fit reads as its default."""
        self.invocation = invocation
        self.lenient = invocation.lenient

    def check(self) -> None:
        """Convert every parameter. Raises Misconfigured for the first that does not fit."""
        for parameter in parameters_of(type(self)):
            getattr(self, parameter.name)

    def fitting(self) -> dict[str, str]:
        """The given values without those that cannot be converted."""
        declared = {parameter.name: parameter for parameter in parameters_of(type(self))}
        return {
            name: text
            for name, text in self.invocation.parameters.items()
            if name not in declared or declared[name].fits(text)
        }

    def secrets(self) -> list[str]:
        """The values that no log may show."""
        given = self.invocation.parameters
        return [
            given[parameter.name]
            for parameter in parameters_of(type(self))
            if parameter.secret and given.get(parameter.name)
        ]


class Actions:
    """What has actions and parameters, as the meta-data shows them."""

    @classmethod
    def parameters_class(cls) -> type[Parameters]:
        """Of whose instances the actions take their values."""
        raise NotImplementedError


class ActionSpec:
    """What the meta-data says of an action: timeout and interval in seconds; role None means any."""

    __slots__ = ("depth", "interval", "method", "name", "role", "timeout")

    def __init__(self, name: str, method: str, timeout: int, interval: int, role: Role | None, depth: int) -> None:
        self.name = name
        self.method = method
        self.timeout = timeout
        self.interval = interval
        self.role = role
        self.depth = depth


def action(
    timeout: int, interval: int = 0, role: Role | None = None, name: str = "", depth: int = 0
) -> Callable[[Method], Method]:
    """Mark a method as an OCF action. May be given several times: Pacemaker wants one monitor per role, with different
    intervals, since role and interval together identify a recurring operation."""

    def mark(method: Method) -> Method:
        spec = ActionSpec(name or method.__name__.replace("_", "-"), method.__name__, timeout, interval, role, depth)
        method.__dict__.setdefault("ocf_actions", []).insert(0, spec)
        return method

    return mark


def parameters_of(declaring: type[Parameters]) -> list[Parameter[Any]]:
    """The parameters in the order of declaration, base classes first."""
    found: dict[str, Parameter[Any]] = {}
    for base in reversed(declaring.__mro__):
        found.update({name: value for name, value in vars(base).items() if isinstance(value, Parameter)})
    return list(found.values())


def actions_of(agent_class: type) -> list[ActionSpec]:
    """The actions in the order of declaration, base classes first; an override without a mark keeps its base's."""
    found: dict[str, list[ActionSpec]] = {}
    for base in reversed(agent_class.__mro__):
        for name, member in vars(base).items():
            if getattr(member, "ocf_actions", None):
                found[name] = member.ocf_actions
    return [spec for specs in found.values() for spec in specs]

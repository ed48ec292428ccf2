"""What a declared parameter reads as: its value has the declared type, set or not."""

from __future__ import annotations

import pytest

from backstay.ocf.errors import Misconfigured
from backstay.ocf.invocation import Invocation
from backstay.ocf.parameters import Choice, Count, Flag, OptionalCount, Parameters, Seconds, Text, parameters_of
from backstay.services import catalogue

VALUES = {Text: str, Choice: str, Seconds: float, Count: int, Flag: bool}


class Toy(Parameters):
    name = "toy"
    colour = Choice("Colour", "", choices=("red", "blue"))
    label = Text("Label", "")
    patience = Seconds("Patience", "", "500ms", minimum=0.1, maximum=60)
    tries = Count("Tries", "", "2", minimum=1)
    place = OptionalCount("Place", "", maximum=9)
    loud = Flag("Loud", "", "no")
    secret = Text("Secret", "", required=True)


def toy(**given: str) -> Toy:
    return Toy(Invocation("start", {f"OCF_RESKEY_{name}": text for name, text in given.items()}))


def test_an_unset_parameter_reads_as_its_default_or_as_nothing_of_its_type() -> None:
    unset = toy()
    assert (unset.colour, unset.label, unset.place) == ("", "", None)
    assert (unset.patience, unset.tries, unset.loud) == (0.5, 2, False)


def test_a_set_parameter_reads_as_a_value_of_its_type() -> None:
    given = toy(colour="blue", patience="1min", tries="3", place="9", loud="Yes")
    assert (given.colour, given.patience, given.tries, given.place, given.loud) == ("blue", 60.0, 3, 9, True)


@pytest.mark.parametrize(
    ("name", "text", "needed"),
    [
        ("colour", "green", "one of red, blue is needed"),
        ("patience", "soon", "a time such as 3s, 500ms or 2min is needed"),
        ("patience", "50ms", "at least 0.1 is needed"),
        ("patience", "2min", "at most 60 is needed"),
        ("tries", "0", "at least 1 is needed"),
        ("place", "10", "at most 9 is needed"),
        ("loud", "perhaps", "true or false is needed"),
    ],
)
def test_what_does_not_fit_says_what_is_needed(name: str, text: str, needed: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        getattr(toy(**{name: text}), name)
    assert str(caught.value) == f"parameter {name}={text}: {needed}"


def test_a_required_parameter_is_missed_but_where_the_reading_is_lenient() -> None:
    given = toy()
    with pytest.raises(Misconfigured):
        _ = given.secret
    given.lenient = True
    assert given.secret == ""


@pytest.mark.parametrize("kind", [Seconds, Count, Flag])
def test_what_cannot_be_empty_is_not_declared_without_a_default(kind: type) -> None:
    with pytest.raises((TypeError, RuntimeError)) as caught:  # before Python 3.12 the TypeError is the cause of another
        type("Wrong", (Parameters,), {"silences": kind("Silences", "")})
    assert f"silences: a {kind.__name__} needs a default" in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("service", catalogue.names())
def test_every_default_is_of_its_parameters_type_and_within_its_bounds(service: str) -> None:
    for parameter in parameters_of(catalogue.agent_of(service).parameters_class()):
        if parameter.default:
            value = parameter.parse("", lenient=True)
            assert isinstance(value, VALUES.get(type(parameter), int)), parameter.name

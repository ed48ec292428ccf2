"""Erlang terms, binary and as text: what is written reads back, and no input does worse than Malformed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay.services.rabbitmq.erlang_text import node_names, parse
from backstay.services.rabbitmq.etf import Atom, Malformed, Opaque, atom, decode, encode, text

atoms = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40).map(Atom)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**200), 2**200),
    st.floats(allow_nan=False),
    st.binary(max_size=60),
    atoms.filter(lambda name: name not in ("true", "false") and len(name.encode()) < 256),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.lists(inner, max_size=5).map(tuple), st.dictionaries(scalars, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_decodes(value):
    read, end = decode(b"\x83" + encode(value))
    assert read == value and end == 1 + len(encode(value))


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_malformed(data):
    for prefix in (b"", b"\x83"):
        with suppress(Malformed):
            decode(prefix + data)


@given(values, st.data())
def test_a_term_that_is_cut_off_is_malformed(value, data):
    whole = b"\x83" + encode(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Malformed):
        decode(whole[:cut])


def test_deep_nesting_is_malformed_and_not_a_crash():
    with pytest.raises(Malformed):
        decode(b"\x83" + b"h\x01" * 100_000 + b"j")
    with pytest.raises(Malformed):
        decode(b"\x83l\xff\xff\xff\xff")
    with pytest.raises(Malformed):
        parse("[" * 100_000)


def test_what_is_only_passed_on_keeps_its_bytes():
    pid = b"X" + atom("rabbit@n1") + bytes(range(12))
    reference = b"Z\x00\x02" + atom("rabbit@n1") + bytes(12)
    function = b"p" + (4 + 3).to_bytes(4, "big") + b"abc"
    for kind, raw in (("pid", pid), ("reference", reference), ("function", function)):
        read, _ = decode(b"\x83" + raw)
        assert read == Opaque(kind, raw) and read.kind == kind and encode(read) == raw


def test_a_string_is_a_list_of_characters_and_reads_as_text():
    read, _ = decode(b"\x83k\x00\x063.10.8")
    assert read == list(b"3.10.8") and text(read) == "3.10.8"
    assert text(b"n1") == text(Atom("n1")) == "n1" and text(7) == "7"
    with pytest.raises(Malformed):
        text((1, 2))


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("[rabbit@n1].\n", {"rabbit@n1"}),
        ("['rabbit@node-1.example.com',\n rabbit@n2].", {"rabbit@node-1.example.com", "rabbit@n2"}),
        ("% a comment\n[].", set()),
    ],
)
def test_the_nodes_that_were_up(written, names):
    assert node_names(written) == names


@pytest.mark.parametrize(
    "written", ["", "[rabbit@n1]", "[rabbit@n1,].", "{[a],[b]}.", "[1].", "[a]. [b].", "[[a]].", "}."]
)
def test_what_is_no_list_of_nodes_is_malformed(written):
    with pytest.raises(Malformed):
        node_names(written)


def test_the_file_of_members():
    assert parse("{[rabbit@n1,'rabbit@n-2'],[rabbit@n1]}.") == [(["rabbit@n1", "rabbit@n-2"], ["rabbit@n1"])]
    assert parse('"a \\"b\\"". -12.') == ['a "b"', -12]


@given(st.text(max_size=120))
def test_no_text_does_worse_than_malformed(written):
    with suppress(Malformed):
        parse(written)


@given(st.text(alphabet="[]{},.'\"ab1@\\% \n", max_size=60))
def test_nor_text_that_is_nearly_a_term(written):
    with suppress(Malformed):
        parse(written)

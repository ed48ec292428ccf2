"""A filter in the kernel for a packet socket: classic BPF (linux/bpf_common.h, linux/filter.h)."""

import _collections_abc
import sys
from _socket import SOL_SOCKET, socket
from struct import pack

# `array` makes itself a sequence by collections.abc, and needs nothing else of that package, which is 4 ms of an action.
_missing = [name for name in ("collections", "collections.abc") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_missing, _collections_abc))
try:
    from array import array
finally:
    for _name in _missing:
        del sys.modules[_name]

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
LOAD_HALF, LOAD_WORD, LOAD_BYTE = 0x28, 0x20, 0x30
_JUMP_EQUAL, _RETURN = 0x15, 0x06


def attach(wire: socket, tests: "list[tuple[int, int, int]]") -> None:
    """Let the kernel pass only frames in which each of these is so: load (one of the above), offset, value. An instruction is
    8 bytes, operation, jumps, operand. Raises OSError."""
    code = b""
    for number, (load, offset, value) in enumerate(tests):
        to_the_end = 2 * (len(tests) - number) - 1
        code += pack("=HBBI", load, 0, 0, offset) + pack("=HBBI", _JUMP_EQUAL, 0, to_the_end, value)
    program = array("B", code + pack("=HBBI", _RETURN, 0, 0, 0xFFFF) + pack("=HBBI", _RETURN, 0, 0, 0))
    wire.setsockopt(SOL_SOCKET, _ATTACH_FILTER, pack("HxxxxxxP", len(program) // 8, program.buffer_info()[0]))

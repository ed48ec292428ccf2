"""A filter in the kernel for a packet socket: classic BPF (linux/bpf_common.h, linux/filter.h)."""

from _socket import SOL_SOCKET, socket
from array import array
from struct import pack

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

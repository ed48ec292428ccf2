"""Writes the log as Pacemaker's agents do (ocf_log). It does without the `logging` module, which costs 16 ms of every start.

On a terminal the log goes to stderr. Otherwise it goes to syslog when HA_LOGFACILITY is set, and to the file HA_LOGFILE;
with neither, to stderr, which the executor copies to pacemaker.log. Debug messages appear only when HA_debug is neither
empty nor 0. A log that cannot be written never changes what an action returns.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_FACILITIES = {
    name: number << 3
    for number, name in enumerate(
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"]
        + ["", "", "", ""]
        + [f"local{digit}" for digit in range(8)]
    )
    if name
}
_LEVELS = {"crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}


class Log:
    """Where messages go. `secrets` are blotted out of all of them."""

    def __init__(self, tag: str, environ: "Mapping[str, str]") -> None:
        self.tag = tag
        self.secrets: list[str] = []
        self._environ = environ
        self._facility = environ.get("HA_LOGFACILITY", "")
        self._file = environ.get("HA_LOGFILE", "")
        self._debug = environ.get("HA_debug", "") not in ("", "0")

    def masked(self, text: str) -> str:
        """Without the secrets, also as they are spelled in a statement or an options file."""
        for secret in sorted(self.secrets, key=len, reverse=True):  # one may be the beginning of another
            escaped = secret.replace("\\", "\\\\")
            for spelled in (
                escaped.replace("'", "''"),
                escaped.replace("'", "\\'"),
                escaped.replace('"', '\\"'),
                secret,
            ):
                text = text.replace(spelled, "***")
        return text

    def debug(self, text: str) -> None:
        if self._debug:
            self._write("debug", text)

    def info(self, text: str) -> None:
        self._write("info", text)

    def notice(self, text: str) -> None:
        self._write("notice", text)

    def warning(self, text: str) -> None:
        self._write("warning", text)

    def error(self, text: str) -> None:
        self._write("err", text)

    def _write(self, level: str, text: str) -> None:
        text = _plain(self.masked(text))
        written = False
        try:
            if os.isatty(2):
                sys.stderr.write(f"{self.tag}: {level}: {text}\n")
                return
            if self._facility in _FACILITIES:
                import syslog

                syslog.openlog(_plain(self.tag), syslog.LOG_PID, _FACILITIES[self._facility])
                syslog.syslog(_LEVELS[level], text)
                written = True
            if self._file:
                import time

                with open(self._file, "a", encoding="utf-8", errors="replace") as sink:
                    sink.write(f"{time.strftime('%b %d %T')}  {self.tag}[{os.getpid()}]:    {level.upper()}: {text}\n")
                written = True
        except OSError:
            written = False
        if not written:
            sys.stderr.write(f"{level}: {text}\n")


def _plain(text: str) -> str:
    """What syslog(3) takes: bytes of the environment that are no UTF-8, and NUL, are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")

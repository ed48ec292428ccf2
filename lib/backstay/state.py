"""What an agent remembers between its calls, in /run: small files, replaced as a whole. All of it can vanish at any time;
then the agent knows less and promises less."""

import os
import time


class Files:
    """The files of one resource."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def read(self, name: str) -> str:
        """The file's text, "" when there is none."""
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as source:
                return source.read()
        except OSError:
            return ""

    def age(self, name: str) -> float:
        """Seconds since the file was written; infinite when there is none."""
        try:
            return max(0.0, time.time() - os.stat(os.path.join(self.directory, name)).st_mtime)
        except OSError:
            return float("inf")

    def write(self, name: str, text: str) -> None:
        path = os.path.join(self.directory, name)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as sink:
            sink.write(text)
        os.replace(temporary, path)

    def remove(self, name: str) -> None:
        path = os.path.join(self.directory, name)
        try:
            os.unlink(path)
        except OSError:
            if os.path.exists(path):  # a file system that cannot be written says so of what is not there, too
                raise

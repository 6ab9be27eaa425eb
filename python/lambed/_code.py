"""Where the code of a function comes from."""

import os
from typing import Literal

Path = str | os.PathLike[str]


class Code:
    """Where a function's code comes from. A plain path or bytes can be given in its place."""

    def __init__(self, kind: Literal["directory", "zip", "inline"], content: str | bytes) -> None:
        self._kind = kind
        self._content = content

    @classmethod
    def directory(cls, path: Path) -> "Code":
        """A folder that is read where it lies: edit it, and new environments run the edited code."""
        return cls("directory", os.path.abspath(os.fspath(path)))

    @classmethod
    def zip(cls, content: "bytes | Path") -> "Code":
        """The bytes of a .zip as Lambda takes them, or the path of such a file. Copied."""
        if isinstance(content, bytes):
            return cls("zip", content)
        with open(content, "rb") as file:
            return cls("zip", file.read())

    @classmethod
    def inline(cls, text: str) -> "Code":
        """The text of one source file, whose name follows from the handler ("app.handler": app.py, app.mjs, app.rb)."""
        return cls("inline", text)

    def _native(self) -> tuple[str, str | bytes]:
        return self._kind, self._content


def code_of(code: "Code | bytes | Path") -> tuple[str, str | bytes]:
    if isinstance(code, Code):
        return code._native()
    if isinstance(code, bytes) or os.path.isfile(code):
        return Code.zip(code)._native()
    return Code.directory(code)._native()

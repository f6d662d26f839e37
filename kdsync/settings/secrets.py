"""Where secrets come from. Plain text in a file is refused, no message shows a value, and every value that was read is
remembered so that the logs can leave it out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WAYS = "{env: NAME}, {file: PATH} or {credential: NAME}"
LONGEST = 65_536  # bytes; whatever is longer was not meant


class SecretReader:
    """Reads the secrets that one configuration names; `known` holds what was read."""

    def __init__(self, base: Path, environ: Mapping[str, str]) -> None:
        self.known: list[str] = []
        self._base = base
        self._environ = environ

    def __call__(self, written: Any) -> str:
        """The value behind `{env: NAME}`, `{file: PATH}` or `{credential: NAME}`; ValueError says what is missing."""
        if not isinstance(written, Mapping):
            raise ValueError(f"a secret must not stand in the file; write {WAYS}")  # noqa: TRY004  # pydantic wants ValueError
        ways = {"env": self._from_variable, "file": self._from_file, "credential": self._from_credential}
        way, name = next(iter(written.items()), ("", ""))
        if len(written) != 1 or way not in ways or not isinstance(name, str) or not name:
            raise ValueError(f"a secret is written as {WAYS}")
        value = ways[way](name)
        self.known.append(value)
        return value

    def _from_variable(self, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError("env must be the name of an environment variable, not the secret itself")
        if name not in self._environ:
            raise ValueError(f"the environment variable {name} is not set")
        if not self._environ[name]:
            raise ValueError(f"the environment variable {name} is empty")
        return self._environ[name]

    def _from_credential(self, name: str) -> str:
        if "/" in name:
            raise ValueError("credential must be a name without a slash; for a path write {file: PATH}")
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise ValueError(
                f"the credential {name} cannot be read: $CREDENTIALS_DIRECTORY is not set; "
                "systemd sets it for a unit with LoadCredential=; in a shell set it to the folder that holds the file"
            )
        return _content(Path(folder, name))

    def _from_file(self, name: str) -> str:
        return _content(Path(self._base, name))


def _content(path: Path) -> str:
    """The text of a secret's file without the newline at its end."""
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} does not hold UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise ValueError(f"{path} cannot be read: {reason}") from None
    if not text or len(content) > LONGEST:
        raise ValueError(f"{path} is {'too long for a secret' if text else 'empty'}")
    return text

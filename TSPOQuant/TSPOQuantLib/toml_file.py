"""Small TOML files that people write: read whole, unknown keys refused with their line."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .messages import InputRefused, Listed, Text


@dataclass(frozen=True)
class TomlFile:
    """A file's content, and where each key stands. kind: begins the code of every refusal ("clinical")."""

    path: Path
    kind: str
    text: str
    data: dict[str, Any]

    def refuse(self, what: str, problem: Text, line: int | None = None) -> InputRefused:
        code = f"{self.kind}-{what}"
        if line is None:
            return InputRefused(code, "{path}: {problem}", path=self.path, problem=problem)
        return InputRefused(code, "{path}, line {line}: {problem}", path=self.path, line=line, problem=problem)

    def wrong(self, table: str, key: str, wanted: str) -> InputRefused:
        """For a value that is not as its key wants it, or a key that is missing ("…-value")."""
        problem = Text("[{table}] {key} must be {wanted}", table=table, key=key, wanted=wanted)
        return self.refuse("value", problem, self.line(table, 0, key if key in self.data.get(table, {}) else None))

    def line(self, table: str, index: int = 0, key: str | None = None) -> int:
        """Line of the ``index``-th header of a table, or of a key below it; 1 where it is spelled in another way.

        table "" stands for the file's top.
        """
        seen = -1 if table else 0
        for number, line in enumerate(self.text.splitlines(), start=1):
            if re.match(r"\s*\[", line):
                seen += bool(table) and bool(re.match(rf"\s*\[+\s*[\"']?{re.escape(table)}[\"']?\s*\]", line))
                if not table or (seen == index and key is None):
                    return number if key is None else 1
            elif seen == index and key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return 1

    def check_keys(
        self,
        table: str,
        content: Mapping[str, Any],
        known: Iterable[str],
        index: int = 0,
        homes: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse ("…-key") a key that is not known, with its line; homes: the table that each key belongs in."""
        names = Listed(sorted(known))
        for key in content:
            if key not in names.items:
                home = (homes or {}).get(key)
                problem = Text(
                    "unknown key '{key}' in [{table}]; known are {names}", key=key, table=table, names=names
                )
                if home:
                    problem = Text(
                        "'{key}' belongs in [{home}], not in [{table}]; move it", key=key, home=home, table=table
                    )
                raise self.refuse("key", problem, self.line(table, index, key))

    def check_tables(self, single: Iterable[str], repeated: Iterable[str] = ()) -> None:
        """Refuse ("…-key") tables that are not known: ``[single]`` once, ``[[repeated]]`` any number of times."""
        singles, several = tuple(single), tuple(repeated)
        for name, content in self.data.items():
            known = (name in singles and isinstance(content, dict)) or (
                name in several and isinstance(content, list) and all(isinstance(entry, dict) for entry in content)
            )
            if not known:
                spelled = Listed([f"[{table}]" for table in singles] + [f"[[{table}]]" for table in several])
                problem = Text("unknown table or key '{name}'; known are {spelled}", name=name, spelled=spelled)
                raise self.refuse("key", problem, max(self.line(name), self.line("", 0, name)))

    def number(self, where: str, value: object, low: float, high: float) -> float:
        """A finite number from ``low`` to ``high``, or a refusal ("…-value")."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            problem = Text(
                "{where} is {value!r}; give a number from {low:g} to {high:g}",
                where=where,
                value=value,
                low=low,
                high=high,
            )
            raise self.refuse("value", problem)
        return float(value)

    def words(self, where: str, value: object) -> str:
        """A text that is not empty, in one line, or a refusal ("…-value")."""
        if not isinstance(value, str) or not value.strip():
            problem = Text("{where} is {value!r}; give a text that is not empty", where=where, value=value)
            raise self.refuse("value", problem)
        return " ".join(value.split())


def read_toml(path: Path, kind: str, missing: str = "unreadable") -> TomlFile:
    """Read a TOML file. Raises InputRefused: "…-unreadable", and "…-<missing>" for a file that is not there."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        return TomlFile(Path(path), kind, text, tomllib.loads(text))
    except OSError as error:
        raise InputRefused(
            f"{kind}-{missing}", "{path}: {strerror}; name a TOML file", path=path, strerror=error.strerror
        ) from error
    except UnicodeDecodeError as error:
        raise InputRefused(f"{kind}-unreadable", "{path} is not UTF-8 text; save it as UTF-8", path=path) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputRefused(
            f"{kind}-unreadable", "{path}: {error}; correct the file", path=path, error=error
        ) from error
    except ValueError as error:
        raise InputRefused(
            f"{kind}-unreadable", "{path} holds a number of thousands of digits; correct it", path=path
        ) from error

"""A YAML file as places: every value knows its key and where it stands, so that a complaint can name both."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge"))
_CLOSE = 0.6
_START = yaml.Mark("", 0, 0, 0, "", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where (line and column count from 1; 0 when the file as a whole is meant), which key, what to do."""

    line: int
    column: int
    key: str
    message: str

    def told(self, file: str) -> str:
        """The problem as one line, `file:line:column: key: message`."""
        where = f"{file}:{self.line}:{self.column}" if self.line else file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigurationError(ValueError):
    """The configuration can't be used. `problems` has all that was found, in the order of the file."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda each: (each.line, each.column)))
        super().__init__("\n".join(each.told(file) for each in self.problems))


class Invalid(Exception):  # noqa: N818 - a verdict on one value, collected into a ConfigurationError
    """One value that can't be used; `place` says where it stands."""

    def __init__(self, place: "Place", message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One value of the file: its dotted key and its YAML node."""

    key: str
    node: yaml.Node

    @property
    def line(self) -> int:
        """Line, from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def column(self) -> int:
        """Column, from 1."""
        return int(self.node.start_mark.column) + 1

    @property
    def shape(self) -> str:
        """What stands there, in words."""
        if isinstance(self.node, yaml.MappingNode):
            return "a mapping"
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        return "nothing" if self.empty else "a single value"

    @property
    def empty(self) -> bool:
        """Whether nothing stands there (`key:` or null)."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == _TAG + "null"

    @property
    def mapping(self) -> bool:
        """Whether a mapping stands there."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def sequence(self) -> bool:
        """Whether a list stands there."""
        return isinstance(self.node, yaml.SequenceNode)

    def is_tag(self, name: str) -> bool:
        """Whether YAML takes the scalar for this type (`bool`, `int`, `float`, `str`)."""
        return bool(self.node.tag == _TAG + name)

    def text(self) -> str:
        """The scalar as it is written. Raises `Invalid`."""
        if not isinstance(self.node, yaml.ScalarNode) or self.empty:
            raise Invalid(self, f"a single value is needed here, found {self.shape}")
        if self.node.tag not in _KNOWN_TAGS:
            raise Invalid(self, f"YAML tags ({self.node.tag}) are not used here; write the plain value")
        return str(self.node.value)

    def items(self) -> Iterator[tuple["Place", "Place"]]:
        """The keys and values of a mapping, in order, duplicates included. Raises `Invalid`."""
        if not isinstance(self.node, yaml.MappingNode):
            raise Invalid(self, f"a mapping (key: value) is needed here, found {self.shape}")
        for key, value in self.node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            path = f"{self.key}.{name}" if self.key else name
            yield Place(key=path, node=key), Place(key=path, node=value)

    def elements(self) -> Iterator["Place"]:
        """The elements of a list. Raises `Invalid`."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise Invalid(self, f"a list is needed here, found {self.shape}")
        for index, value in enumerate(self.node.value, start=1):
            yield Place(key=f"{self.key}[{index}]", node=value)


@dataclass(slots=True, kw_only=True)
class Reading:
    """What reading one file needs and collects: the environment, where the file lies, the places met, the problems found."""

    directory: Path
    environ: Mapping[str, str]
    places: dict[str, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, place: Place, message: str) -> None:
        """Note a problem at a place."""
        self.problems.append(Problem(line=place.line, column=place.column, key=place.key, message=message))

    def complain_of(self, key: str, message: str) -> None:
        """Note a problem with a key, at its place or at the nearest one around it."""
        around = key
        while around and around not in self.places:
            around = around.rpartition(".")[0]
        place = self.places.get(around)
        line, column = (place.line, place.column) if place else (0, 0)
        self.problems.append(Problem(line=line, column=column, key=key, message=message))

    def unique_items(self, place: Place) -> Iterator[tuple[str, Place, Place]]:
        """Name, key and value of each entry of a mapping; a name that stands there twice is a problem and left out."""
        first: dict[str, Place] = {}
        for key, value in place.items():
            try:
                name = key.text()
            except Invalid:
                self.complain(key, "a key must be a plain word")
                continue
            if name in first:
                self.complain(key, f"stands here twice (first in line {first[name].line}); remove one of the two")
                continue
            first[name] = key
            self.places[value.key] = key
            yield name, key, value


def document(path: Path) -> Place:
    """The file as a place. Raises `ConfigurationError` where it can't be read or isn't YAML."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise _unusable(path, f"can't be read ({error.strerror}); name the file with --config or TANDEM_CONFIG") from error
    except UnicodeDecodeError as error:
        raise _unusable(path, "is not UTF-8 text; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        said = error.problem or error.context or "unreadable"
        problem = Problem(line=line, column=column, key="", message=f"not valid YAML: {said}")
        raise ConfigurationError(str(path), [problem]) from error
    except yaml.YAMLError as error:
        raise _unusable(path, "not valid YAML: it holds characters that YAML forbids") from error
    empty = yaml.MappingNode(_TAG + "map", [], start_mark=_START)
    return Place(key="", node=node if node is not None else empty)


def hint(name: str, known: Iterable[str]) -> str:
    """What was probably meant, as the end of a message; the known names where nothing is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=_CLOSE) or [each for each in names if each.lower() == name.lower()]
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(names)}"


def _unusable(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError(str(path), [Problem(line=0, column=0, key="", message=message)])

"""Groups of settings: read from the file into dataclasses whose fields are annotated with kinds."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from dataclasses import field as part
from typing import Any, get_args, get_type_hints

from consumers.configuration.reading.places import Invalid, Place, Reading, hint
from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import SettingType

MOVED = {"postgres.decisions_days": "retention.decisions_days"}
"""Keys of former versions, and where each stands now. Refused, not read: two places for one setting would contradict each other."""


@dataclass(frozen=True, slots=True)
class Section:
    """A group of settings: a dataclass whose fields are annotated with kinds."""

    doc: str
    of: type[Any]

    def read(self, place: Place, reading: Reading) -> Any:
        """The dataclass; problems of single keys are collected. Raises `Broken` when there are any."""
        given = _read_keys(self.of, place, reading)
        missing = [key for key, setting in settings(self.of).items() if setting.required and key not in given.met]
        for key in missing:
            reading.complain(place, f"{key} is missing; add it ({settings(self.of)[key].kind.words()})")
        if missing or given.failed:
            raise Broken(_rest(self.of, given))
        return _made(self.of, given.values)

    def schema(self) -> dict[str, Any]:
        """An object."""
        return section_schema(self.of)

    def words(self) -> str:
        """What may stand there."""
        return "a group of settings"


@dataclass(frozen=True, slots=True)
class Sections:
    """Groups of settings of one shape, each under a name of its own beside the other keys: a mapping by those names."""

    of: Mapping[str, Section]


class Broken(Exception):  # noqa: N818 - says only that the problems have been noted already
    """A section whose problems have been noted. `rest`: what is left of it, so that what else is wrong can be told in the same go."""

    def __init__(self, rest: Any) -> None:
        super().__init__("its problems have been noted")
        self.rest = rest


def _rest(of: type[Any], given: "_Given") -> Any:
    """The section with what could be read: the default stands for what could not, and None where there is none."""
    nothing = {setting.attribute: None for setting in settings(of).values() if setting.required}
    return _made(of, {**nothing, **given.values})


def _made(of: type[Any], values: Mapping[str, Any]) -> Any:
    """The dataclass; what belongs to one of several `Sections` is gathered first (`kinds.account`), the others have their defaults."""
    plain = {name: value for name, value in values.items() if "." not in name}
    gathered: dict[str, dict[str, Any]] = {}
    for setting in settings(of).values():
        name, dot, part_name = setting.attribute.partition(".")
        if dot:
            gathered.setdefault(name, {})[part_name] = values.get(setting.attribute, setting.default)
    return of(**plain, **gathered)


@dataclass(slots=True)
class _Given:
    values: dict[str, Any] = part(default_factory=dict)
    met: set[str] = part(default_factory=set)
    failed: bool = False


def _read_keys(of: type[Any], place: Place, reading: Reading) -> _Given:
    given, known = _Given(), settings(of)
    for name, key, value in reading.unique_items(place):
        setting = known.get(name)
        if setting is None:
            moved = MOVED.get(key.key)
            reading.complain(key, f"this is {moved} now; move it there" if moved else f"unknown key; {hint(name, known)}")
            given.failed = True
            continue
        given.met.add(name)
        try:
            given.values[setting.attribute] = setting.kind.read(value, reading)
        except Invalid as error:
            reading.complain(error.place, str(error))
            given.failed = True
        except Broken as broken:
            given.values[setting.attribute] = broken.rest
            given.failed = True
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of a section."""

    key: str
    attribute: str
    kind: SettingType
    required: bool
    default: Any

    def of(self, section: Any) -> Any:
        """Its value in a section."""
        name, _, part_name = self.attribute.partition(".")
        value = getattr(section, name)
        return value[part_name] if part_name else value


def settings(of: type[Any]) -> Mapping[str, Setting]:
    """The keys of a section, from the annotations of its dataclass; `poll_seconds: Annotated[float, Duration(…)]` is the key `poll`, and
    `as_`, which is no word of Python's then, the key `as`."""
    if not is_dataclass(of):
        raise TypeError(f"{of.__name__} is not a dataclass")
    hints = get_type_hints(of, include_extras=True)
    found = {}
    for item in fields(of):
        kind = get_args(hints[item.name])[1]
        if isinstance(kind, Sections):
            for name, section in kind.of.items():
                default, attribute = section.of(), f"{item.name}.{name}"
                found[name] = Setting(key=name, attribute=attribute, kind=section, required=False, default=default)
            continue
        key = item.name.removesuffix("_seconds") if isinstance(kind, Duration) else item.name.removesuffix("_")
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        found[key] = Setting(key=key, attribute=item.name, kind=kind, required=default is MISSING, default=default)
    return found


def section_schema(of: type[Any]) -> dict[str, Any]:
    """The JSON Schema of a section."""
    known = settings(of)
    properties = {key: {"description": setting.kind.doc, **setting.kind.schema()} for key, setting in known.items()}
    required = [key for key, setting in known.items() if setting.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"required": required} if required else {}),
    }

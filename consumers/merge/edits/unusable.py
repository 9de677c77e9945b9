"""A value that can't be taken, as its side told it: remembered beside the field, until that side tells one that can. Pure."""

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.values import Unfit, clipped
from consumers.merge.edits.verdicts import Judged
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import Field, shallow
from streams.wire.systems import System


def unusable(mapping: FieldMapping, field: Field, system: System, wire: object, why: Unfit) -> Judged:
    """The field alone is refused, with the value; what was agreed stands."""
    side = shallow(field.side(system))
    side.unusable, side.unusable_value = str(why), clipped(wire)
    ruling = Ruling(
        field=mapping.key,
        verdict=Verdict.UNUSABLE,
        value=side.unusable_value,
        agreed=field.value,
        version=field.version,
        reason=side.unusable,
    )
    return field.with_side(system, side), ruling


def taken(field: Field, system: System) -> Field:
    """This side has told a value that can be taken."""
    side = shallow(field.side(system))
    side.unusable = side.unusable_value = ""
    return field.with_side(system, side)

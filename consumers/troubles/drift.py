"""True drift: records that differ, and nothing explains it. Nothing stops flowing for it; somebody should look."""

from collections.abc import Sequence
from typing import Any

from consumers.troubles.trouble import Grade, Trouble

OPEN = """
select count(*) as records, min(found_ms) as found_ms from (
    select found_ms from differences where class = 'true_drift' and closed_ms is null order by object limit 10000) as found
"""


async def drift_open(connection: Any, _expected: object) -> Sequence[Trouble]:
    """One trouble for all of it."""
    row = await connection.fetchrow(OPEN)
    if not row["records"]:
        return []
    many = f"{row['records']:,} values or records" if row["records"] > 1 else "a value or record"
    differ = "differ" if row["records"] > 1 else "differs"
    what = (
        f"{many} {differ} between Salesforce and Marketo (or from what Tandem knows) and no change explains it: tandem drift lists them, "
        f"tandem drift repair says what mending them would write"
    )
    return [Trouble(where="drift", what=what, since_ms=row["found_ms"], grade=Grade.ATTENTION)]

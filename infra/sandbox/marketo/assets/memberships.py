"""What one person is a member of, as the endpoints of list and program memberships answer it (REST API, leads)."""

from collections.abc import Callable
from typing import Any

from infra.sandbox.marketo.assets import asset_api
from infra.sandbox.marketo.border.call import Answer, Call, offset, paged
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row


def memberships(instance: Instance, name: str, field: str, shown: Callable[[Row], dict[str, Any]]) -> Callable[[Call], Answer]:
    """The endpoint that answers the person's rows of the table `name`, by the time of their change and by `field`, which names of what."""

    def find(call: Call) -> Answer:
        lead_id = call.path_args[0]
        if not instance.store.find("id", lead_id):
            raise ApiError("1004", f"Lead '{lead_id}' not found")
        table = instance.store.table(name)
        wanted = set(call.listed("filterValues")) if call.params.get("filterType") == field else None
        rows = [row for key in table.find(("leadId",), (lead_id,)) if (row := table.get(key)) is not None]
        rows = [row for row in rows if asset_api.updated_within(call, row["updatedAt"])]
        found = [shown(row) for row in rows if wanted is None or str(row[field]) in wanted]
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        return {**paged(found[start : start + size], start, size, len(found)), "moreResult": start + size < len(found)}

    return find

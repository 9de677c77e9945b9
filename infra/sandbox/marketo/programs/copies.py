"""Programs cloned, approved and unapproved (Asset API, programs)."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.sandbox.marketo.assets import asset_api
from infra.sandbox.marketo.border.call import Answer, Call
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.programs import programs
from infra.sandbox.marketo.programs.endpoints import program_shown
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import CAMPAIGN, PROGRAM, TOKEN

_NAME_MAX = 255


@dataclass(frozen=True, slots=True)
class ProgramCopyEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        one = "/rest/asset/v1/program/{id}"
        return [
            ("POST", f"{one}/clone.json", self.clone),
            ("POST", f"{one}/approve.json", self._decide("locked")),
            ("POST", f"{one}/unapprove.json", self._decide("unlocked")),
        ]

    def clone(self, call: Call) -> Answer:
        """A program like it under another name, with its tokens and its campaigns, which are switched off; without members."""
        row, name, folder = self._known(call), call.required("name"), asset_api.folder_of(call)
        if folder[1] != "Folder":
            raise ApiError("711", "The folder must be of type Folder")
        if len(name) > _NAME_MAX:
            raise ApiError("701", f"name is longer than {_NAME_MAX} characters")
        made = {one: row[one] for one in ("type", "channel", "tags") if row.get(one) is not None}
        made |= {"name": name, "folder": list(folder), "description": call.params.get("description", "")}
        origin = call.origin("cloneProgram")
        with self.instance.section() as section:
            key = programs.create(section, made, origin)
            tokens, campaigns = section.store.table(TOKEN), section.store.table(CAMPAIGN)
            for found in tokens.find(("folder",), (f"Program/{call.path_args[0]}",)):
                token = {**_copied(tokens.get(found) or {}), "folder": f"Program/{key}"}
                section.add("create", TOKEN, str(tokens.next_id), origin, before=None, after=token)
            for found in campaigns.find(("program",), (int(call.path_args[0]),)):
                campaign = {**_copied(campaigns.get(found) or {}), "program": int(key), "active": False}
                campaign |= {"folder": [int(key), "Program"], "name": f"{name}.{campaign['name'].rpartition('.')[2]}"}
                section.add("create", CAMPAIGN, str(campaigns.next_id), origin, before=None, after=campaign)
        return asset_api.answer([program_shown(key, self.instance.store.table(PROGRAM).get(key) or {})])

    def _decide(self, status: str) -> Callable[[Call], Answer]:
        """Of e-mail programs with both dates; others can't be approved."""

        def decide(call: Call) -> Answer:
            key, row = call.path_args[0], self._known(call)
            if row["type"] != "Email":
                raise ApiError("709", "Only email programs can be approved")
            if not row.get("startDate") or not row.get("endDate"):
                raise ApiError("709", "startDate and endDate must be set")
            before = {"status": row.get("status")}
            with self.instance.section() as section:
                section.add("update", PROGRAM, key, call.origin("approveProgram"), before=before, after={"status": status})
            return asset_api.answer([{"id": int(key)}])

        return decide

    def _known(self, call: Call) -> Row:
        row = self.instance.store.table(PROGRAM).get(call.path_args[0])
        if row is None:
            raise ApiError("702", f"Program with id '{call.path_args[0]}' not found")
        return row


def _copied(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in {"createdAt", "updatedAt"}}

"""Every endpoint of the instance, in the order in which paths are tried."""

from infra.sandbox.marketo.activities.custom import CustomActivityEndpoints
from infra.sandbox.marketo.activities.endpoints import ActivityEndpoints
from infra.sandbox.marketo.assets.folder_endpoints import FolderEndpoints
from infra.sandbox.marketo.assets.list_endpoints import ListEndpoints
from infra.sandbox.marketo.assets.smart_lists import SmartListEndpoints
from infra.sandbox.marketo.border.in_flight import InFlight
from infra.sandbox.marketo.border.limits import Limits
from infra.sandbox.marketo.border.routes import Endpoint, Routes
from infra.sandbox.marketo.bulk.endpoints import BulkEndpoints
from infra.sandbox.marketo.bulk.extracts import BulkExport
from infra.sandbox.marketo.bulk.imports import BulkImport
from infra.sandbox.marketo.bulk.jobs import EXPORT, IMPORT, BulkJobs
from infra.sandbox.marketo.objects.custom_endpoints import CustomObjectEndpoints
from infra.sandbox.marketo.objects.endpoints import standard_routes
from infra.sandbox.marketo.people.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.people.schema_endpoints import SchemaEndpoints
from infra.sandbox.marketo.programs.copies import ProgramCopyEndpoints
from infra.sandbox.marketo.programs.endpoints import ProgramEndpoints
from infra.sandbox.marketo.programs.lead_push import LeadPushEndpoint
from infra.sandbox.marketo.programs.member_endpoints import MemberEndpoints
from infra.sandbox.marketo.push.campaigns import CampaignEndpoints
from infra.sandbox.marketo.push.smart_campaigns import SmartCampaignEndpoints
from infra.sandbox.marketo.state.instance import Instance


def all_routes(instance: Instance, in_flight: InFlight, limits: Limits, jobs: BulkJobs) -> Routes:
    """Of the whole instance; gives the jobs their work to do."""
    leads, log = LeadEndpoints(instance, in_flight), ActivityEndpoints(instance)
    export = BulkExport(instance, jobs, leads, log)
    jobs.work.update({EXPORT: export.work, IMPORT: BulkImport(instance, jobs).work})
    parts = [
        leads.routes(),
        LeadPushEndpoint(instance, leads).routes(),
        SchemaEndpoints(instance).routes(),
        log.routes(),
        CustomActivityEndpoints(instance).routes(),
        ListEndpoints(instance, leads).routes(),
        MemberEndpoints(instance, leads).routes(),
        standard_routes(instance),
        CustomObjectEndpoints(instance).routes(),
        ProgramEndpoints(instance).routes(),
        FolderEndpoints(instance).routes(),
        BulkEndpoints(instance, jobs, export).routes(),
        CampaignEndpoints(instance).routes(),
        SmartCampaignEndpoints(instance).routes(),
        SmartListEndpoints(instance).routes(),
        ProgramCopyEndpoints(instance).routes(),
        _statistics(limits),
    ]
    return [route for part in parts for route in part]


def _statistics(limits: Limits) -> Routes:
    table: dict[str, Endpoint] = {
        "usage": lambda call: {"result": limits.usage(call.now_ms, 1)},
        "usage/last7days": lambda call: {"result": limits.usage(call.now_ms, 7)},
        "errors": lambda call: {"result": limits.errors(call.now_ms, 1)},
        "errors/last7days": lambda call: {"result": limits.errors(call.now_ms, 7)},
    }
    return [("GET", f"/rest/v1/stats/{name}.json", endpoint) for name, endpoint in table.items()]

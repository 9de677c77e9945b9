"""Every endpoint of the instance, in the order in which paths are tried."""

from infra.sandbox.marketo.activity_endpoints import ActivityEndpoints
from infra.sandbox.marketo.bulk_endpoints import BulkEndpoints
from infra.sandbox.marketo.bulk_export import BulkExport
from infra.sandbox.marketo.bulk_import import BulkImport
from infra.sandbox.marketo.bulk_jobs import EXPORT, IMPORT, BulkJobs
from infra.sandbox.marketo.custom_activities import CustomActivityEndpoints
from infra.sandbox.marketo.custom_object_endpoints import CustomObjectEndpoints
from infra.sandbox.marketo.folder_endpoints import FolderEndpoints
from infra.sandbox.marketo.in_flight import InFlight
from infra.sandbox.marketo.instance import Instance
from infra.sandbox.marketo.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.lead_push import LeadPushEndpoint
from infra.sandbox.marketo.limits import Limits
from infra.sandbox.marketo.list_endpoints import ListEndpoints
from infra.sandbox.marketo.member_endpoints import MemberEndpoints
from infra.sandbox.marketo.object_endpoints import standard_routes
from infra.sandbox.marketo.program_copies import ProgramCopyEndpoints
from infra.sandbox.marketo.program_endpoints import ProgramEndpoints
from infra.sandbox.marketo.push.campaigns import CampaignEndpoints
from infra.sandbox.marketo.push.smart_campaigns import SmartCampaignEndpoints
from infra.sandbox.marketo.routes import Endpoint, Routes
from infra.sandbox.marketo.schema_endpoints import SchemaEndpoints
from infra.sandbox.marketo.smart_lists import SmartListEndpoints


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

"""Where the resources of the data API are, and which of the real ones are not here."""

from __future__ import annotations

from infra.sandbox.salesforce.bulk.ingest import IngestJobs
from infra.sandbox.salesforce.bulk.query import QueryJobs
from infra.sandbox.salesforce.rest import batches, replication, resources, rows, tooling
from infra.sandbox.salesforce.rest.call import Route
from infra.sandbox.salesforce.rest.queries import Queries
from infra.sandbox.salesforce.rest.trees import create_tree

ABSENT = (
    "jobs|tooling|search|analytics|composite|parameterizedSearch|actions|chatter|ui-api|apexrest|async|recent|tabs|theme|appMenu|support"
    "|consent|quickActions|process|knowledgeManagement|licensing|wave|metadata|dedupe|connect|scheduling|localizedvalue|limits/recordCount"
)
ABSENT_OF_OBJECTS = "describe/.+|listviews(?:/.*)?|quickActions(?:/.*)?|defaultValues|suggestions"
"""Parts of the real API that answer "not in the sandbox"."""


def data_routes(queries: Queries) -> list[Route]:
    row, batch = "/sobjects/{object}/{id}", "/composite/sobjects"
    return [
        Route(methods=("GET",), pattern="", handler=resources.resources),
        Route(methods=("GET",), pattern="/limits", handler=resources.limits),
        Route(methods=("GET",), pattern="/query", handler=queries.query),
        Route(methods=("GET",), pattern="/queryAll", handler=queries.query_all),
        Route(methods=("GET",), pattern="/query/{locator}", handler=queries.more),
        Route(methods=("GET",), pattern="/queryAll/{locator}", handler=queries.more),
        Route(methods=("GET",), pattern="/sobjects", handler=resources.list_objects),
        Route(methods=("GET",), pattern="/sobjects/{object}", handler=resources.basic_info),
        Route(methods=("POST",), pattern="/sobjects/{object}", handler=rows.create_row),
        Route(methods=("GET",), pattern="/sobjects/{object}/describe", handler=resources.describe),
        Route(methods=("GET",), pattern="/sobjects/{object}/updated", handler=replication.updated),
        Route(methods=("GET",), pattern="/sobjects/{object}/deleted", handler=replication.deleted),
        Route(methods=("GET",), pattern="/sobjects/{object}/eventSchema", handler=resources.event_schema),
        Route(methods=("GET",), pattern="/event/eventSchema/{schema}", handler=resources.event_schema_by_id),
        Route(methods=("GET", "POST"), pattern=f"/sobjects/{{object}}/(?:{ABSENT_OF_OBJECTS})", handler=resources.not_here),
        Route(methods=("GET",), pattern=row, handler=rows.read_row),
        Route(methods=("PATCH",), pattern=row, handler=rows.update_row),
        Route(methods=("DELETE",), pattern=row, handler=rows.delete_row),
        Route(methods=("GET",), pattern="/sobjects/{object}/{field}/{value}", handler=rows.read_by_external_id),
        Route(methods=("PATCH",), pattern="/sobjects/{object}/{field}/{value}", handler=rows.upsert_row),
        Route(methods=("POST",), pattern=batch, handler=batches.create_batch),
        Route(methods=("PATCH",), pattern=batch, handler=batches.update_batch),
        Route(methods=("DELETE",), pattern=batch, handler=batches.delete_batch),
        Route(methods=("GET", "POST"), pattern=batch + "/{object}", handler=batches.read_batch),
        Route(methods=("PATCH",), pattern=batch + "/{object}/{field}", handler=batches.upsert_batch),
        Route(methods=("POST",), pattern="/composite/tree/{object}", handler=create_tree),
        Route(methods=("GET",), pattern="/tooling/query", handler=tooling.query),
        Route(methods=("POST",), pattern="/tooling/sobjects/{object}", handler=tooling.create),
        Route(methods=("GET",), pattern="/tooling" + row, handler=tooling.read),
        Route(methods=("PATCH",), pattern="/tooling" + row, handler=tooling.update),
        Route(methods=("DELETE",), pattern="/tooling" + row, handler=tooling.delete),
    ]  # fmt: skip


def job_routes(query: QueryJobs, ingest: IngestJobs) -> list[Route]:
    job = "/jobs/ingest/{job}"
    return [
        Route(methods=("POST",), pattern="/jobs/query", handler=query.create),
        Route(methods=("GET",), pattern="/jobs/query", handler=query.listed),
        Route(methods=("GET",), pattern="/jobs/query/{job}", handler=query.info),
        Route(methods=("PATCH",), pattern="/jobs/query/{job}", handler=query.change),
        Route(methods=("DELETE",), pattern="/jobs/query/{job}", handler=query.delete),
        Route(methods=("GET",), pattern="/jobs/query/{job}/results", handler=query.results),
        Route(methods=("GET",), pattern="/jobs/query/{job}/resultPages", handler=query.result_pages),
        Route(methods=("POST",), pattern="/jobs/ingest", handler=ingest.create),
        Route(methods=("GET",), pattern="/jobs/ingest", handler=ingest.listed),
        Route(methods=("GET",), pattern=job, handler=ingest.info),
        Route(methods=("PATCH",), pattern=job, handler=ingest.change),
        Route(methods=("DELETE",), pattern=job, handler=ingest.delete),
        Route(methods=("PUT",), pattern=job + "/batches", handler=ingest.upload),
        Route(methods=("GET",), pattern=job + "/{results}", handler=ingest.results),
    ]  # fmt: skip


def absent_routes() -> list[Route]:
    """They come last: what is here goes before."""
    return [
        Route(methods=("GET", "POST", "PATCH", "PUT", "DELETE"), pattern=f"/(?:{ABSENT})(?:/.*)?", handler=resources.not_here),
    ]

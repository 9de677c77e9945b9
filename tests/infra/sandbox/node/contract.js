// jsforce, as its users call it, against an org: REST, Bulk 2.0, streaming with replay, SOAP. One JSON line a finished step on stdout;
// the first thing that differs from what Salesforce does ends it with code 1.
"use strict";

const assert = require("node:assert/strict");
const jsforce = require("jsforce");
const { StreamingExtension } = require("jsforce/lib/api/streaming");

const { SANDBOX_URL: instanceUrl, SANDBOX_TOKEN: accessToken } = process.env;
const connection = new jsforce.Connection({ instanceUrl, accessToken, version: "66.0", maxRequest: 20 });

const steps = {
  async rows() {
    const lead = await connection.sobject("Lead").create({ LastName: "Ito", Company: "Acme", Email: "ito@x.example" });
    assert.equal(lead.success, true);
    assert.equal((await connection.sobject("Lead").retrieve(lead.id)).Email, "ito@x.example");
    assert.equal((await connection.sobject("Lead").update({ Id: lead.id, Title: "CTO" })).success, true);
    const upserted = await connection.sobject("Contact").upsert({ LastName: "Key", Ext__c: "k1" }, "Ext__c");
    assert.equal(upserted.created ?? upserted.success, true);
    assert.equal((await connection.sobject("Lead").destroy(lead.id)).success, true);
    await assert.rejects(connection.sobject("Lead").retrieve(lead.id), { errorCode: "ENTITY_IS_DELETED" });
    await assert.rejects(connection.sobject("Lead").create({ LastName: "x" }), { errorCode: "REQUIRED_FIELD_MISSING" });
  },

  async collections() {
    const made = await connection.sobject("Lead").create([1, 2, 3].map((n) => ({ LastName: `c${n}`, Company: "Many" })));
    assert.deepEqual(made.map((each) => each.success), [true, true, true]);
    const changed = await connection.sobject("Lead").update(made.map((each) => ({ Id: each.id, City: "Oslo" })));
    assert.deepEqual(changed.map((each) => each.success), [true, true, true]);
    const read = await connection.sobject("Lead").retrieve(made.map((each) => each.id));
    assert.deepEqual(read.map((each) => each.City), ["Oslo", "Oslo", "Oslo"]);
    const gone = await connection.sobject("Lead").destroy([made[2].id]);
    assert.equal(gone[0].success, true);
  },

  async queries() {
    const account = await connection.sobject("Account").create({ Name: "Parent" });
    await connection.sobject("Contact").create([{ LastName: "One", AccountId: account.id }, { LastName: "Two", AccountId: account.id }]);
    const parents = await connection
      .sobject("Account")
      .find({ Id: account.id }, "Id, Name")
      .include("Contacts")
      .select("Id, LastName")
      .orderby("LastName", "ASC")
      .end();
    assert.deepEqual(parents[0].Contacts.records.map((each) => each.LastName), ["One", "Two"]);
    const byDate = await connection.sobject("Contact").find({ CreatedDate: jsforce.SfDate.TODAY }).execute();
    assert.ok(byDate.length >= 2);
    assert.equal((await connection.sobject("Contact").find({ CreatedDate: { $lt: jsforce.SfDate.LAST_N_MONTHS(3) } })).length, 0);
    const grouped = await connection.query(`SELECT AccountId, COUNT(Id) n, MAX(LastName) FROM Contact WHERE AccountId = '${account.id}' GROUP BY AccountId`);
    assert.equal(grouped.records[0].n, 2);
    assert.equal(grouped.records[0].expr0, "Two");
    assert.equal(await connection.sobject("Contact").count({ AccountId: account.id }), 2);
    const all = await connection.query("SELECT Id FROM Contact", { autoFetch: true, maxFetch: 100 });
    assert.equal(all.records.length, all.totalSize);
    const described = await connection.sobject("Account").describe();
    assert.ok(described.childRelationships.some((each) => each.relationshipName === "Contacts"));
    assert.ok((await connection.limits()).DailyApiRequests.Max > 0);
    const now = Date.now();
    const since = new Date(now - 3600e3).toISOString();
    const updated = await connection.sobject("Contact").updated(since, new Date(now + 3600e3).toISOString());
    assert.ok(updated.ids.length >= 2);
    assert.ok((await connection.sobject("Lead").deleted(since, new Date(now + 3600e3).toISOString())).deletedRecords.length >= 2);
  },

  async bulk() {
    const rows = Array.from({ length: 450 }, (_, n) => ({ LastName: `b${n}`, Company: n % 100 === 7 ? "" : "Bulk" }));
    const load = await connection.bulk2.loadAndWaitForResults({ object: "Lead", operation: "insert", input: rows, pollInterval: 20, pollTimeout: 20000 });
    assert.equal(load.successfulResults.length, 445);
    assert.equal(load.failedResults.length, 5);
    assert.match(load.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING:/);
    assert.equal(load.unprocessedRecords.length, 0);
    connection.bulk2.pollInterval = 20;
    const stream = await connection.bulk2.query("SELECT Id, LastName, CreatedDate FROM Lead WHERE Company = 'Bulk'");
    const found = await stream.toArray();
    assert.equal(found.length, 445);
    assert.match(found[0].CreatedDate, /Z$/);
  },

  async streaming() {
    const heard = [];
    const listen = (replay, enough) =>
      new Promise((resolve, reject) => {
        const client = connection.streaming.createClient([
          new StreamingExtension.Replay("/data/LeadChangeEvent", replay),
          new StreamingExtension.AuthFailure((problem) => reject(new Error(JSON.stringify(problem)))),
        ]);
        let found;
        const timer = setTimeout(() => reject(new Error(`heard only ${heard.length}`)), 20000);
        const subscription = client.subscribe("/data/LeadChangeEvent", (message) => {
          heard.push(message);
          if (enough(message)) {
            clearTimeout(timer);
            found = message;
            subscription.cancel();
          }
        });
        client.addExtension({
          incoming(message, next) {
            next(message);
            if (message.channel === "/meta/unsubscribe") {
              assert.equal(message.successful, true);
              client.disconnect();
              resolve(found);
            }
          },
        });
      });
    const wanted = (name) => (message) => message.payload.Name?.LastName === name;
    await connection.sobject("Lead").create({ LastName: "first", Company: "Stream" });
    await connection.sobject("Lead").create({ LastName: "second", Company: "Stream" });
    const first = await listen(-2, wanted("first"));
    heard.length = 0;
    const second = await listen(first.event.replayId, wanted("second"));
    assert.ok(second.event.replayId > first.event.replayId);
    assert.equal(heard.some(wanted("first")), false);
    assert.equal(second.payload.ChangeEventHeader.changeType, "CREATE");
  },

  async soap() {
    const leads = await connection.sobject("Lead").create(["m", "v1", "v2", "cv"].map((name) => ({ LastName: name, Company: "Soap & Co" })));
    const [master, one, two, convertible] = leads.map((each) => each.id);
    const merged = await connection.soap.merge({ masterRecord: { type: "Lead", Id: master, Title: "Boss" }, recordToMergeIds: [one, two] });
    assert.equal(merged.success, true);
    assert.deepEqual(merged.mergedRecordIds, [one, two]);
    const losers = await connection.query(`SELECT Id, MasterRecordId FROM Lead WHERE Id IN ('${one}','${two}')`, { scanAll: true });
    assert.deepEqual(losers.records.map((each) => each.MasterRecordId), [master, master]);
    assert.equal((await connection.sobject("Lead").retrieve(master)).Title, "Boss");
    const converted = await connection.soap.convertLead({ leadId: convertible, convertedStatus: "Closed - Converted", opportunityName: "Deal" });
    assert.equal(converted.success, true);
    assert.equal((await connection.sobject("Contact").retrieve(converted.contactId)).AccountId, converted.accountId);
    assert.equal((await connection.sobject("Opportunity").retrieve(converted.opportunityId)).Name, "Deal");
    const again = await connection.soap.convertLead({ leadId: convertible, convertedStatus: "Closed - Converted" });
    assert.equal(again.success, false);
    assert.equal(again.errors[0].statusCode, "CANNOT_UPDATE_CONVERTED_LEAD");
    await connection.sobject("Lead").destroy(master);
    const back = await connection.soap.undelete([master]);
    assert.equal(back[0].success, true);
    assert.equal((await connection.sobject("Lead").retrieve(master)).LastName, "m");
    const stamp = await connection.soap.getServerTimestamp();
    assert.ok(Math.abs(Date.parse(stamp.timestamp ?? stamp) - Date.now()) < 60e3);
    await assert.rejects(connection.soap.describeGlobal?.() ?? connection.soap.getUserInfo(), /NOT_IN_SANDBOX/);
  },
};

Object.assign(steps, {
  async more() {
    const names = (await connection.describeGlobal()).sobjects.map((each) => each.name);
    assert.ok(names.includes("Lead") && names.includes("LeadChangeEvent"));
    const many = await connection.sobject("Contact").upsert([1, 2].map((n) => ({ LastName: `u${n}`, Ext__c: `u${n}` })), "Ext__c");
    assert.deepEqual(many.map((each) => each.created), [true, true]);
    const again = await connection.sobject("Contact").upsert([{ LastName: "again", Ext__c: "u1" }], "Ext__c");
    assert.deepEqual(again.map((each) => each.created), [false]);
    const rows = Array.from({ length: 200 }, (_, n) => ({ LastName: `p${n}`, Company: "Pages" }));
    for (let turn = 0; turn < 2; turn += 1) await connection.sobject("Lead").create(rows);
    const soql = "SELECT Id FROM Lead WHERE Company = 'Pages'";
    const first = await connection.query(soql, { autoFetch: false, headers: { "Sforce-Query-Options": "batchSize=200" } });
    assert.deepEqual([first.records.length, first.totalSize, first.done], [200, 400, false]);
    const second = await connection.queryMore(first.nextRecordsUrl);
    assert.deepEqual([second.records.length, second.done], [200, true]);
    const composite = await connection.request({
      method: "POST",
      url: "/composite",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        allOrNone: true,
        compositeRequest: [
          { method: "POST", url: "/services/data/v66.0/sobjects/Account", referenceId: "a", body: { Name: "Composite" } },
          { method: "POST", url: "/services/data/v66.0/sobjects/Contact", referenceId: "c", body: { LastName: "In it", AccountId: "@{a.id}" } },
        ],
      }),
    });
    assert.deepEqual(composite.compositeResponse.map((each) => each.httpStatusCode), [201, 201]);
    const schema = await connection.request("/sobjects/LeadChangeEvent/eventSchema?payloadFormat=COMPACT");
    assert.equal((await connection.request(`/event/eventSchema/${schema.uuid}?payloadFormat=COMPACT`)).name, "LeadChangeEvent");
  },

  async jobs() {
    const ingest = connection.bulk2.createJob({ object: "Lead", operation: "insert" });
    await ingest.open();
    await ingest.uploadData("LastName,Company\nx,y\n");
    await ingest.abort();
    assert.equal((await ingest.check()).state, "Aborted");
    await ingest.delete();
    await assert.rejects(ingest.check());
    connection.bulk2.pollInterval = 20;
    const soql = "SELECT Id FROM Lead WHERE Company = 'Pages'";
    const opened = await connection.request({
      method: "POST", url: "/jobs/query", headers: { "content-type": "application/json" },
      body: JSON.stringify({ operation: "query", query: soql }),
    });
    const job = connection.bulk2.job("query", { id: opened.id });
    await job.poll(20, 10000);
    assert.equal((await job.result().then((found) => found.toArray())).length, 400);
    const pages = await connection.request(`/jobs/query/${opened.id}/resultPages?maxRecords=100`);
    assert.equal(pages.resultPages.length, 4);
    await assert.rejects(job.abort(), /JobComplete/);
    await job.delete();
    await assert.rejects(job.check());
    const listed = await connection.request("/jobs/ingest");
    assert.ok(listed.records.every((each) => each.jobType === "V2Ingest"));
    assert.equal((await connection.request("/jobs/query")).done, true);
  },

  async tooling() {
    const channel = await connection.tooling.sobject("PlatformEventChannel").create({
      FullName: "Stranger__chn", Metadata: { channelType: "data", label: "Stranger" },
    });
    const Member = connection.tooling.sobject("PlatformEventChannelMember");
    const metadata = { eventChannel: "Stranger__chn", selectedEntity: "LeadChangeEvent" };
    const member = await Member.create({ FullName: "Stranger_LeadChangeEvent", Metadata: metadata });
    assert.equal(channel.success && member.success, true);
    assert.equal((await Member.retrieve(member.id)).Metadata.selectedEntity, "LeadChangeEvent");
    const enriched = { ...metadata, enrichedFields: [{ name: "Email" }] };
    await Member.update({ Id: member.id, FullName: "Stranger_LeadChangeEvent", Metadata: enriched });
    assert.deepEqual((await Member.retrieve(member.id)).Metadata.enrichedFields, [{ name: "Email" }]);
    await Member.destroy(member.id);
    await assert.rejects(Member.retrieve(member.id));
    const soql = "SELECT QualifiedApiName, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'Lead'";
    assert.equal((await connection.tooling.query(soql)).records[0].KeyPrefix, "00Q");
  },
});

async function main() {
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(steps);
  for (const name of wanted) {
    await steps[name]();
    console.log(JSON.stringify({ step: name }));
  }
  process.exit(0);
}

main().catch((problem) => {
  console.error(problem);
  process.exit(1);
});

// What is agreed of every person, as a table: read a state topic from its beginning, keep the last message of each record.
//
//   npm ci && node people.js [HOST:PORT]        # without: the broker that `make up` has started
//
// Prints a line of JSON for each person. Needs `kafkajs` alone.

import { existsSync, readFileSync } from "node:fs";
import { Kafka, logLevel } from "kafkajs";

const TOPIC = "crm.state.person.v1";
const ENDPOINTS = new URL("../../../.run/endpoints.json", import.meta.url);

function broker() {
  if (process.argv[2]) return process.argv[2];
  if (!existsSync(ENDPOINTS)) {
    console.error("no broker: name one (HOST:PORT), or run `make up` first");
    process.exit(1);
  }
  return JSON.parse(readFileSync(ENDPOINTS, "utf8")).kafka.bootstrap_servers;
}

const kafka = new Kafka({ clientId: "tandem-example", brokers: [broker()], logLevel: logLevel.ERROR });
const admin = kafka.admin();
await admin.connect();
const unread = new Map();
for (const { partition, low, high } of await admin.fetchTopicOffsets(TOPIC)) {
  if (BigInt(low) < BigInt(high)) unread.set(partition, BigInt(high));
}
await admin.disconnect();

const people = new Map();
if (unread.size > 0) {
  // A group that nobody else uses: it has no position, so it begins at the beginning.
  const consumer = kafka.consumer({ groupId: `tandem-example-${process.pid}-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  await new Promise((done, failed) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => failed(payload.error));
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        const key = message.key.toString();
        if (message.value === null) people.delete(key); // a tombstone: the record is gone
        else people.set(key, JSON.parse(message.value.toString()));
        if (BigInt(message.offset) + 1n >= (unread.get(partition) ?? 0n)) unread.delete(partition);
        if (unread.size === 0) done();
      },
    }).catch(failed);
  });
  await consumer.disconnect();
}

for (const { salesforce, marketo, fields } of people.values()) {
  console.log(JSON.stringify({ salesforce, marketo, email: fields.email, firstName: fields.firstName, lastName: fields.lastName }));
}

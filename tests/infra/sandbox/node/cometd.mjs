// cometd, the JavaScript client of the project that defined the protocol, against an org: replay, a lost session, a refusal. One JSON line
// a finished step on stdout; the first thing that differs from what Salesforce does ends it with code 1.
import assert from "node:assert/strict";
import { CometD } from "cometd";
import { adapt } from "cometd-nodejs-client";

adapt();
const { SANDBOX_URL: url, SANDBOX_TOKEN: token } = process.env;
const headers = { Authorization: `Bearer ${token}` };
const CHANNEL = "/data/LeadChangeEvent";
const DEADLINE = 20000;

// What Salesforce documents for its clients: the replay id of each channel rides with its subscription.
function replaying(client, from) {
  const replay = { [CHANNEL]: from };
  client.registerExtension("replay", {
    incoming(message) {
      if (message.data?.event?.replayId) replay[message.channel] = message.data.event.replayId;
      return message;
    },
    outgoing(message) {
      if (message.channel === "/meta/subscribe") message.ext = { ...message.ext, replay };
      return message;
    },
  });
}

async function open(from) {
  const client = new CometD();
  client.configure({ url: `${url}/cometd/66.0`, requestHeaders: headers, appendMessageTypeToURL: false, maxNetworkDelay: DEADLINE });
  client.unregisterTransport("websocket");
  client.unregisterTransport("callback-polling");
  if (from !== undefined) replaying(client, from);
  const reply = await new Promise((resolve) => client.handshake(resolve));
  assert.equal(reply.successful, true, JSON.stringify(reply));
  return client;
}

const subscribed = (client, channel, heard) =>
  new Promise((resolve) => client.subscribe(channel, (message) => heard(message.data), resolve));
const closed = (client) => new Promise((resolve) => client.disconnect(resolve));

async function call(method, path, body) {
  const answer = await fetch(`${url}${path}`, { method, headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

const lead = (name) => call("POST", "/services/data/v66.0/sobjects/Lead", { LastName: name, Company: "Stream" });

// The events up to that of the lead with the last of these names.
async function heard(client, names) {
  const found = [];
  let done;
  const whole = new Promise((resolve) => (done = resolve));
  const timer = setTimeout(() => done(), DEADLINE);
  const hear = ({ data }) => {
    found.push(data);
    if (data.payload.Name?.LastName === names.at(-1)) done();
  };
  let subscription;
  const reply = await new Promise((resolve) => (subscription = client.subscribe(CHANNEL, hear, resolve)));
  assert.equal(reply.successful, true, JSON.stringify(reply));
  return { found, subscription, until: async () => (await whole, clearTimeout(timer), found.map((each) => each.payload.Name?.LastName)) };
}

const steps = {
  async replay() {
    await lead("first");
    await lead("second");
    let client = await open(-2);
    const all = await heard(client, ["first", "second"]);
    assert.deepEqual(await all.until(), ["first", "second"]);
    await closed(client);
    client = await open(all.found[0].event.replayId);
    const rest = await heard(client, ["second", "third"]);
    await lead("third");
    assert.deepEqual(await rest.until(), ["second", "third"]);
    await closed(client);
  },

  // The session goes while the client listens: it shakes hands again by itself, its user subscribes anew, and hears what came meanwhile.
  async session() {
    const client = await open(-1);
    const dropped = new Promise((resolve) => client.addListener("/meta/connect", (message) => message.successful || resolve(message)));
    const after = await heard(client, ["before", "after"]);
    client.addListener("/meta/handshake", (message) => message.successful && client.resubscribe(after.subscription));
    await lead("before");
    while (after.found.length === 0) await new Promise((resolve) => client.addListener("/meta/connect", resolve));
    process.stdout.write('{"ask":"session_drop"}\n');
    assert.equal((await dropped).error, "403::Unknown client");
    await lead("after");
    assert.deepEqual(await after.until(), ["before", "after"]);
    await closed(client);
  },

  async refusals() {
    const client = await open();
    const missing = await subscribed(client, "/data/NoSuchChangeEvent", () => {});
    assert.equal(missing.successful, false);
    assert.match(missing.error, /^400::The channel you requested to subscribe to does not exist/);
    const many = await new Promise((resolve) => {
      client.batch(() => {
        const kept = client.subscribe(CHANNEL, () => {}, (reply) => resolve([reply, kept]));
      });
    });
    assert.equal(many[0].successful, true);
    const left = await new Promise((resolve) => client.unsubscribe(many[1], resolve));
    assert.equal(left.successful, true);
    await closed(client);
    const stranger = new CometD();
    stranger.configure({ url: `${url}/cometd/66.0`, appendMessageTypeToURL: false });
    stranger.unregisterTransport("websocket");
    const denied = await new Promise((resolve) => stranger.handshake(resolve));
    assert.equal(denied.successful, false);
    assert.equal(denied.error, "403::Handshake denied");
    stranger.disconnect();
  },
};

for (const name of process.argv.slice(2)) {
  await steps[name]();
  process.stdout.write(`{"step":"${name}"}\n`);
}
process.exit(0);

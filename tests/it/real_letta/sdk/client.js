// What a user of Letta's TypeScript SDK does: nothing here knows of promptyoself.
//
//     node client.js BASE_URL PASSWORD
//
// Prints what it did as JSON; any surprise ends it with an error.
const assert = require("node:assert/strict");
const { Letta } = require("@letta-ai/letta-client");

const [baseURL, apiKey] = process.argv.slice(2);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function main() {
  // A Letta that has little of the machine takes its time for an answer.
  const client = new Letta({ baseURL, apiKey, timeout: 300_000 });
  const agent = await client.agents.create({
    name: "sdk-typescript",
    model: "openai-proxy/gpt-4o-mini",
    embedding: "openai/text-embedding-3-small",
    include_base_tools: false,
  });
  assert.equal((await client.agents.retrieve(agent.id)).name, "sdk-typescript");

  const user = (content) => ({ role: "user", content });
  const answer = await client.agents.messages.create(agent.id, {
    messages: [user("hello from typescript")],
  });
  assert.match(JSON.stringify(answer.messages), /stub: hello from typescript/);
  const kinds = [];
  const stream = await client.agents.messages.stream(agent.id, {
    messages: [user("streamed from typescript")],
  });
  for await (const event of stream) kinds.push(event.message_type);
  for (const kind of ["assistant_message", "stop_reason", "usage_statistics"])
    assert.ok(kinds.includes(kind), kinds.join());

  const scheduleOnce = (scheduled_at) =>
    client.agents.schedule.create(agent.id, {
      messages: [user([{ type: "text", text: "scheduled once from typescript" }])],
      schedule: { scheduled_at },
    });
  // This one stays while it is looked at.
  const scheduled_at = Date.now() + 3_600_000;
  let once = await scheduleOnce(scheduled_at);
  assert.ok(!Number.isNaN(Date.parse(once.next_scheduled_at)), once.next_scheduled_at);
  const recurring = await client.agents.schedule.create(agent.id, {
    messages: [user("every morning")],
    schedule: { type: "recurring", cron_expression: "0 9 * * *" },
  });
  const shown = await client.agents.schedule.retrieve(once.id, { agent_id: agent.id });
  assert.equal(shown.schedule.scheduled_at, scheduled_at);
  assert.equal(shown.message.messages[0].content[0].text, "scheduled once from typescript");
  const page = await client.agents.schedule.list(agent.id, { limit: "1" });
  assert.equal(page.has_next_page, true);
  const rest = await client.agents.schedule.list(agent.id, { limit: "10", after: once.id });
  assert.equal(rest.has_next_page, false);
  assert.deepEqual(rest.scheduled_messages.map((m) => m.id), [recurring.id]);
  await assert.rejects(
    client.agents.schedule.create(agent.id, {
      messages: [user("never")],
      schedule: { scheduled_at: 1000 },
    }),
    (e) => e instanceof Letta.BadRequestError && /has passed/.test(e.message),
  );

  const gone = await client.agents.schedule.delete(once.id, { agent_id: agent.id });
  assert.equal(gone.success, true);
  // Another one is gone once it ran.
  once = await scheduleOnce(Date.now() + 3000);
  for (let n = 0; ; n++) {
    try {
      await client.agents.schedule.retrieve(once.id, { agent_id: agent.id });
    } catch (e) {
      assert.ok(e instanceof Letta.NotFoundError, e);
      break;
    }
    assert.ok(n < 1500, "the one-time message is still there");
    await sleep(200);
  }
  const messages = [];
  for await (const m of client.agents.messages.list(agent.id, { limit: 100 })) messages.push(m);
  const told = messages.filter((m) => m.message_type === "user_message");
  const ours = told.filter((m) => JSON.stringify(m.content).includes("scheduled once"));
  assert.equal(ours.length, 1);
  const history = await client.get(`/v1/agents/${agent.id}/schedule/${once.id}/history`);
  assert.equal(history.history[0].status, "success");

  const deleted = await client.agents.schedule.delete(recurring.id, { agent_id: agent.id });
  assert.equal(deleted.success, true);
  await assert.rejects(
    client.agents.schedule.delete(recurring.id, { agent_id: agent.id }),
    Letta.NotFoundError,
  );
  const [run] = history.history;
  console.log(JSON.stringify({ agent_id: agent.id, run_id: run.run_id, reply: run.response }));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});

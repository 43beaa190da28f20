import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, inAddress, onPage, until } from "./opened";

test("alerts that fire come first, with what people need to know", async () => {
  await onPage("alerts", async (page) => {
    const rows = page.locator(".row");
    await rows.filter({ hasText: "Hot" }).waitFor();
    const hot = rows.first();
    assert.match(await hot.locator("summary").innerText(), /firing[\s\S]*Hot[\s\S]*2 alerts[\s\S]*severity=warning/);
    const lines = await hot.locator("tbody tr").allInnerTexts();
    assert.match(lines[0] ?? "", /firing[\s\S]*host-21[\s\S]*it is hot at host-21[\s\S]*25/);
    assert.match(lines[1] ?? "", /pending[\s\S]*host-22/);
    await hot.locator(".expression").click();
    await until(() => inAddress(page, "g0.expr") === "temperature > 20", "the expression leads to its query");
    assert.equal(inAddress(page, "g0.tab"), "table");
  });
});

test("alerts are found by state and by text, and the address says so", async () => {
  await onPage("alerts?state=firing", async (page) => {
    await page.locator(".row").first().waitFor();
    assert.equal(await page.locator(".row").count(), 1);
    await page.getByRole("button", { name: /^inactive/ }).click();
    await until(async () => (await page.locator(".row").innerText()).includes("Silent"), "the other rule");
    await page.getByRole("button", { name: "all", exact: true }).click();
    await page.getByRole("searchbox").fill("host-22");
    await until(async () => (await page.locator(".row").count()) === 1, "only the rule with that alert");
    assert.equal(inAddress(page, "text"), "host-22");
    await page.getByRole("searchbox").fill("no such thing");
    await page.locator(".notice.plain").waitFor();
  });
});

test("rules show how their evaluation does", async () => {
  await onPage("rules", async (page) => {
    const group = page.locator(".group").filter({ hasText: "mill/boilers" });
    await group.waitFor();
    assert.match(await group.locator("h2").innerText(), /every 1s · took 250 ms · evaluated .* ago/);
    const rows = group.locator("tbody tr");
    assert.match((await rows.allInnerTexts())[0] ?? "", /temperature:max[\s\S]*records[\s\S]*max\(temperature\)/);
    assert.match((await rows.allInnerTexts())[2] ?? "", /no such lane[\s\S]*error/);
    await page.getByRole("button", { name: "in error 1" }).click();
    await until(async () => (await rows.count()) === 1, "only the rule in error");
  });
});

function sqlRule(name: string, samples: readonly string[]): object {
  const rule = { type: "alerting", name, query: "SELECT ts, `value` FROM samples('a')", samples, labels: {}, annotations: {}, alerts: [] };
  return { ...rule, state: "inactive", health: "ok", duration: 0, keepFiringFor: 0, evaluationTime: 0, lastEvaluation: "" };
}

test("a rule in SQL leads to the samples that it reads", async () => {
  const rules = [sqlRule("Two", ["errors{job=\"web\"}", "requests"]), sqlRule("Unread", [])];
  const group = { name: "Two", file: "sql", rules, interval: 60, evaluationTime: 0, lastEvaluation: "2026-11-24T10:00:00Z" };
  await onPage("rules", async (page) => {
    await page.route("**/api/v1/rules*", (route) => route.fulfill({ json: { status: "success", data: { groups: [group] } } }));
    await page.reload();
    const links = page.locator("a.expression");
    await links.first().waitFor();
    assert.equal(await links.count(), 1, "none to a query that is no PromQL");
    const { searchParams } = new URL((await links.getAttribute("href")) ?? "", page.url());
    assert.deepEqual([...searchParams.keys()], ["g0.expr", "g0.tab", "g1.expr", "g1.tab"]);
    assert.deepEqual([searchParams.get("g0.expr"), searchParams.get("g1.expr")], ['errors{job="web"}', "requests"]);
  });
});

const TARGETS = {
  status: "success",
  data: {
    activeTargets: [
      {
        scrapePool: "node", scrapeUrl: "http://a:9100/metrics", labels: { job: "node", instance: "a:9100" }, health: "up",
        lastError: "", lastScrape: new Date().toISOString(), lastScrapeDuration: 0.0123,
      },
      {
        scrapePool: "node", scrapeUrl: "http://b:9100/metrics", labels: { job: "node", instance: "b:9100" }, health: "down",
        lastError: "connection refused", lastScrape: "0001-01-01T00:00:00Z", lastScrapeDuration: 0,
      },
    ],
    droppedTargets: [],
  },
};

test("targets show what is down and why", async () => {
  await onPage("alerts", async (page) => {
    await page.route("**/api/v1/targets*", (route) => route.fulfill({ json: TARGETS }));
    await page.getByRole("link", { name: "Targets" }).click();
    const group = page.locator(".group");
    await group.waitFor();
    assert.match(await group.locator("h2").innerText(), /node\s+1 of 2 up/);
    const lines = await group.locator("tbody tr").allInnerTexts();
    assert.match(lines[0] ?? "", /up[\s\S]*http:\/\/a:9100[\s\S]*ago[\s\S]*12.3 ms/);
    assert.match(lines[1] ?? "", /down[\s\S]*never[\s\S]*connection refused/);
    await page.getByRole("button", { name: "down 1" }).click();
    await until(async () => (await group.locator("tbody tr").count()) === 1, "only what is down");
  });
});

test("targets are those of the real collector", async () => {
  await onPage("targets", async (page) => {
    const known = (await asked("targets", { state: "active" })) as { activeTargets: { scrapeUrl: string }[] };
    assert.ok(known.activeTargets.length > 0);
    const lines = page.locator(".group tbody tr");
    await until(async () => (await lines.count()) === known.activeTargets.length, "all of them");
    const text = (await lines.allInnerTexts()).join("\n");
    for (const target of known.activeTargets) assert.ok(text.includes(target.scrapeUrl), text);
  });
});

test("a part of the API that is not there is named plainly", async () => {
  for (const [view, path] of [["Targets", "targets"], ["Cardinality", "status/tsdb"]] as const) {
    await onPage(
      "alerts",
      async (page) => {
        await page.route(`**/api/v1/${path}*`, (route) => route.fulfill({ status: 404, body: "Not Found" }));
        await page.getByRole("link", { name: view }).click();
        assert.match(await page.locator(".notice").first().innerText(), new RegExp(`This gateway has no /api/v1/${path}`));
      },
      { expected: /status of 404/ },
    );
  }
});

test("a metric is looked into from where series come from", async () => {
  await onPage("alerts", async (page) => {
    await page.getByRole("link", { name: "Cardinality" }).click();
    await page.getByRole("button", { name: "temperature" }).click();
    const one = page.locator(".one-metric");
    await one.locator("tbody tr").first().waitFor();
    const series = (await asked("series", { "match[]": "temperature" })) as unknown[];
    assert.match(await one.locator("h2").innerText(), new RegExp(`temperature ${series.length} series`));
    const labels = await one.locator("tbody tr").allInnerTexts();
    assert.match(labels[0] ?? "", /^instance\s+30/);
    assert.match(labels.join("\n"), /job\s+1\s+mill/);
    assert.equal(inAddress(page, "metric"), "temperature");
  });
});

test("the jobs of the real cluster are shown, and how far the lanes are", async () => {
  await onPage("status", async (page) => {
    const jobs = page.locator(".group").first();
    await jobs.locator("tbody tr").first().waitFor();
    const lines = (await jobs.locator("tbody tr").allInnerTexts()).join("\n");
    for (const name of ["streamgauge-store", "streamgauge-rollup", "streamgauge-alerts"]) {
      assert.match(lines, new RegExp(name));
    }
    assert.match(lines, /RUNNING/);
    const progress = page.locator(".group").nth(1);
    assert.match(await progress.innerText(), /1min\s+\d+\s+\d+ min ago/);
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { END, START, asked, inAddress, onPage, over, until } from "./opened";

interface Vector {
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
}

function figures(page: Page): Promise<string> {
  return page.locator(".panel-bar .figures").first().innerText();
}

async function drawn(page: Page): Promise<void> {
  await page.locator(".plot canvas").waitFor();
  await until(async () => (await figures(page)).includes("series"), "the graph is drawn");
}

/** How many pixels of the plot are not of its ground. */
function inked(page: Page): Promise<number> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>(".plot canvas");
    const context = canvas?.getContext("2d");
    if (canvas == null || context == null) return 0;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 0) > 200) count += 1;
    return count;
  });
}

test("the link of an alert shows the table of its expression", async () => {
  const expr = 'temperature{instance=~"host-1.*"} > 0';
  await onPage(`graph?${new URLSearchParams({ "g0.expr": expr, "g0.tab": "1" }).toString()}`, async (page) => {
    await page.locator("table.result tbody tr").first().waitFor();
    const { result } = (await asked("query", { query: expr })) as Vector;
    assert.equal(await page.locator("table.result tbody tr").count(), result.length);
    const hosts = await page.locator("table.result tbody td:first-child").allInnerTexts();
    assert.deepEqual(hosts.sort(), result.map(({ metric }) => metric["instance"] ?? "").sort());
    assert.match(await page.locator(".common").innerText(), /job=mill/);
    assert.equal(await page.locator(".cm-content").innerText(), expr);
  });
});

test("what is typed runs with Enter, is drawn, and can be shared by its address", async () => {
  await onPage("", async (page) => {
    await page.keyboard.type('temperature{instance="host-7"}');
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    await drawn(page);
    assert.equal(inAddress(page, "g0.expr"), 'temperature{instance="host-7"}');
    assert.match(await figures(page), /^1 series · \d+ points · step \d+s · /);
    assert.ok((await inked(page)) > 500);
    await page.reload();
    await drawn(page);
    assert.equal(await page.locator(".cm-content").innerText(), 'temperature{instance="host-7"}');
  });
});

test("metrics, labels and their values are completed", async () => {
  await onPage("", async (page) => {
    await page.keyboard.type("tempe");
    const offered = page.locator(".cm-tooltip-autocomplete li");
    await offered.filter({ hasText: "temperature" }).first().waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(".cm-content").innerText(), "temperature");
    await page.keyboard.type("{inst");
    await offered.filter({ hasText: "instance" }).first().waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.type('="host-1');
    await offered.filter({ hasText: "host-17" }).first().waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    // without completions Tab goes on to the next control
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(".cm-content").evaluate((box) => box === document.activeElement), false);
  });
});

test("Enter runs what is written even while completions are shown", async () => {
  await onPage("", async (page) => {
    await page.keyboard.type("pressure");
    await page.locator(".cm-tooltip-autocomplete").waitFor();
    await page.keyboard.press("Enter");
    await until(() => inAddress(page, "g0.expr") === "pressure", "it runs");
  });
});

test("a fault is underlined at its place, in the words of the gateway's parser", async () => {
  await onPage(
    "",
    async (page) => {
      await page.keyboard.type("sum(temperature) foo");
      await page.keyboard.press("Escape");
      const mark = page.locator(".cm-lintRange-error");
      await mark.first().waitFor();
      await until(async () => (await mark.allInnerTexts()).join("") === "foo", "foo is underlined");
      await mark.first().hover();
      const told = page.locator(".cm-tooltip-lint, .cm-tooltip-hover").first();
      assert.match(await told.innerText(), /unexpected identifier "foo"/);
      await page.keyboard.press("Enter");
      await page.locator(".notice.error").waitFor();
      assert.match(await page.locator(".notice.error").innerText(), /bad data.*1:18: parse error/s);
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type("sum(temperature)");
      await until(async () => (await mark.count()) === 0, "a query that is right is not underlined");
    },
    // Chromium would keep the style of what is typed over, which the policy forbids and CodeMirror does not want
    { expected: /status of 400|Applying inline style/ },
  );
});

test("what only the gateway knows to be wrong is underlined too", async () => {
  await onPage(
    over('temperature{instance=~"host-("}'),
    async (page) => {
      await page.locator(".cm-lintRange-error").first().waitFor();
      await page.locator(".notice.error").waitFor();
    },
    { expected: /status of 400/ },
  );
});

test("a drag over the graph zooms to it, and the browser's button goes back", async () => {
  await onPage(over("temperature"), async (page) => {
    await drawn(page);
    const box = await page.locator(".plot .u-over").boundingBox();
    assert.ok(box);
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width / 3, y);
    await page.mouse.down();
    await page.mouse.move(box.x + (2 * box.width) / 3, y, { steps: 8 });
    await page.mouse.up();
    await until(() => inAddress(page, "g0.range_input") !== "9m", "the range is shorter");
    const range = inAddress(page, "g0.range_input") ?? "";
    const [minutes, seconds] = [/(\d+)m/, /(\d+)s/].map((unit) => Number(unit.exec(range)?.[1] ?? 0)) as [number, number];
    assert.ok(Math.abs(minutes * 60 + seconds - 180) < 15, range);
    const end = Date.parse(`${(inAddress(page, "g0.end_input") ?? "").replace(" ", "T")}Z`);
    assert.ok(Math.abs(end - (START + (2 * (END - START)) / 3)) < 60_000);
    await drawn(page);
    await page.goBack();
    await until(() => inAddress(page, "g0.range_input") === "9m", "the old range is back");
    await page.locator(".plot .u-over").dblclick();
    await until(() => inAddress(page, "g0.range_input") === "18m", "a double click zooms out");
  });
});

test("the legend shows one series alone, hides one, and tells its figures", async () => {
  await onPage(over("temperature"), async (page) => {
    await drawn(page);
    const rows = page.locator(".legend tbody tr");
    assert.equal(await rows.count(), 20);
    await page.getByRole("button", { name: "Show all 30 series" }).click();
    assert.equal(await rows.count(), 30);
    const all = await inked(page);
    await rows.nth(2).locator("button").click();
    assert.equal(await page.locator(".legend tr.off").count(), 29);
    await until(async () => (await inked(page)) < all, "the others are not drawn");
    await rows.nth(2).locator("button").click();
    assert.equal(await page.locator(".legend tr.off").count(), 0);
    await rows.nth(1).locator("button").click({ modifiers: ["ControlOrMeta"] });
    assert.equal(await page.locator(".legend tr.off").count(), 1);
    const [last, min, mean, max] = (await rows.nth(0).locator(".number").allInnerTexts()).map(Number) as [
      number, number, number, number,
    ];
    assert.ok(min <= mean && mean <= max && min <= last && last <= max);
  });
});

test("the pointer finds the nearest point", async () => {
  await onPage(over('temperature{instance="host-7"}', { tab: "graph" }), async (page) => {
    await drawn(page);
    const box = await page.locator(".plot .u-over").boundingBox();
    assert.ok(box);
    for (let part = 0.1; part < 0.95; part += 0.04) {
      await page.mouse.move(box.x + box.width / 2, box.y + box.height * part);
      if (await page.locator(".tooltip").isVisible()) break;
    }
    assert.match(await page.locator(".tooltip").innerText(), /\d.*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/s);
  });
});

test("a table is sorted by what is clicked", async () => {
  await onPage(over("temperature", { "g0.tab": "table" }), async (page) => {
    const values = page.locator("table.result tbody td.number");
    await values.first().waitFor();
    await page.getByRole("button", { name: "value" }).click();
    const falling = (await values.allInnerTexts()).map(Number);
    assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
    await page.getByRole("button", { name: "instance" }).click();
    const hosts = await page.locator("table.result tbody td:first-child").allInnerTexts();
    assert.deepEqual(hosts.slice(0, 3), ["host-0", "host-1", "host-2"]);
    assert.equal(await page.locator("th[aria-sort=ascending]").innerText(), "instance ↑");
  });
});

test("a page that is live asks again by itself, and draws on", async () => {
  await onPage("graph?g0.expr=vector(time())&g0.range_input=1m&refresh=1s", async (page) => {
    let rounds = 0;
    page.on("request", (request) => (rounds += Number(request.url().endsWith("/query_range"))));
    await drawn(page);
    const last = page.locator(".legend td.number").first();
    await until(() => rounds >= 3, "three rounds");
    assert.match(await last.innerText(), /^1\.\d+G$/);
    assert.equal(await page.getByLabel("Refresh").inputValue(), "1s");
  });
});

test("several queries share one range, and each has its own address", async () => {
  await onPage(over("temperature"), async (page) => {
    await drawn(page);
    await page.getByRole("button", { name: "Add a query" }).click();
    await page.getByLabel("Query 2, PromQL").click();
    await page.keyboard.type("max(pressure)");
    await page.keyboard.press("Enter");
    await until(async () => (await page.locator(".plot canvas").count()) === 2, "both are drawn");
    assert.equal(inAddress(page, "g1.expr"), "max(pressure)");
    assert.equal(inAddress(page, "g1.end_input"), inAddress(page, "g0.end_input"));
    await page.getByRole("button", { name: "Remove query 1" }).click();
    await until(() => inAddress(page, "g0.expr") === "max(pressure)", "the second is the first now");
    assert.equal(inAddress(page, "g1.expr"), null);
    await until(async () => (await page.locator(".cm-content").innerText()) === "max(pressure)", "and is shown");
  });
});

test("a query is laid out, a scalar and a string are shown", async () => {
  await onPage(over("sum(temperature)by(job)", { "g0.tab": "table" }), async (page) => {
    await page.getByRole("button", { name: "Format" }).click();
    await until(() => inAddress(page, "g0.expr") === "sum by (job) (temperature)", "it is laid out");
  });
  await onPage(over("1 + 1", { "g0.tab": "table" }), async (page) => {
    assert.match(await page.locator(".scalar").innerText(), /scalar 2/);
  });
});

test("an empty answer is said to be one", async () => {
  await onPage(over("nothing_of_that_name"), async (page) => {
    assert.match(await page.locator(".notice.plain").innerText(), /No series has a value in this range/);
  });
});

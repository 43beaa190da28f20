import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { inAddress, onPage, over, until } from "./opened";

const VIEWS = ["", over("temperature"), over("temperature", { "g0.tab": "table" }), "alerts", "rules", "status"];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

function ground(page: Page): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
}

async function settled(page: Page): Promise<void> {
  await page.waitForLoadState("networkidle");
  await until(async () => (await page.locator("[aria-busy=true]").count()) === 0, "everything is there");
}

/** What axe finds wrong: names, roles, focus order, contrast. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const axe = (globalThis as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } }).axe;
    return (await axe.run()).violations;
  });
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`every view can be used by everybody, ${colorScheme}`, async () => {
    for (const view of VIEWS) {
      await onPage(
        view,
        async (page) => {
          await settled(page);
          assert.deepEqual(await faults(page), [], view);
        },
        { colorScheme },
      );
    }
  });
}

test("colours follow the system until a reader chooses, and stay chosen", async () => {
  await onPage(
    "",
    async (page) => {
      const dark = await ground(page);
      await page.emulateMedia({ colorScheme: "light" });
      const light = await ground(page);
      assert.notEqual(dark, light);
      const button = page.getByRole("button", { name: /^Colours/ });
      await button.click();
      await button.click();
      assert.equal(await button.getAttribute("aria-label"), "Colours: dark");
      assert.equal(await ground(page), dark);
      await page.reload();
      assert.equal(await ground(page), dark);
    },
    { colorScheme: "dark" },
  );
});

test("times are of the reader's zone or UTC", async () => {
  await onPage(over("temperature"), async (page) => {
    const until_ = page.getByLabel("Until");
    const local = await until_.inputValue();
    await page.getByRole("button", { name: /^Local/ }).click();
    const utc = await until_.inputValue();
    assert.equal(Date.parse(`${local}Z`.replace(" ", "T")) - Date.parse(`${utc}Z`.replace(" ", "T")), 5.5 * 3_600_000);
    assert.equal(utc, inAddress(page, "g0.end_input"));
  });
});

test("nothing is wider than a small screen", async () => {
  for (const view of VIEWS) {
    await onPage(
      view,
      async (page) => {
        await settled(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${view} is ${wide} px too wide`);
      },
      { viewport: { width: 390, height: 800 } },
    );
  }
});

test("all of it can be done with the keyboard", async () => {
  await onPage(over("temperature"), async (page) => {
    await settled(page);
    await page.keyboard.press("t");
    await until(() => inAddress(page, "g0.tab") === "table", "t shows the table");
    await page.keyboard.press("-");
    await until(() => inAddress(page, "g0.range_input") === "18m", "- zooms out");
    await page.keyboard.press("[");
    await page.keyboard.press("0");
    await until(() => inAddress(page, "g0.end_input") === null, "0 ends now");
    await page.keyboard.press("/");
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("count(pressure)");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    await until(() => inAddress(page, "g0.expr") === "count(pressure)", "the query is typed and run");
    await page.keyboard.press("Escape");
    await page.keyboard.press("2");
    await page.locator("h1", { hasText: "Alerts" }).waitFor();
    await page.keyboard.press("1");
    await until(() => inAddress(page, "g0.expr") === "count(pressure)", "1 goes back to the query that was there");
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("3");
    assert.ok(new URL(page.url()).pathname.endsWith("/graph"), "keys of the page rest while a dialog is open");
    await page.getByLabel("Single keys act").click();
    await page.keyboard.press("Escape");
    await page.keyboard.press("3");
    assert.ok(new URL(page.url()).pathname.endsWith("/graph"), "keys can be switched off");
  });
});

test("a wrong time says what is wanted and changes nothing", async () => {
  await onPage(over("temperature"), async (page) => {
    const field = page.getByRole("textbox", { name: "Range" });
    await field.fill("soon");
    await field.press("Enter");
    assert.match(await page.getByRole("alert").innerText(), /Wanted: a duration such as/);
    assert.equal(inAddress(page, "g0.range_input"), "9m");
    await field.fill("5m");
    await field.press("Enter");
    await until(() => inAddress(page, "g0.range_input") === "5m", "a right one is taken");
    assert.equal(await page.getByRole("alert").count(), 0);
  });
});

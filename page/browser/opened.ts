/** A browser for the tests of a file, and pages in it that may not err nor speak to anybody else. */

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Browser, type BrowserContextOptions, type Page, chromium } from "playwright-core";

export const URL_ = required("PAGE_URL");
/** When the samples of the store begin and end; ms. */
export const START = Number(required("PAGE_START_MS"));
export const END = Number(required("PAGE_END_MS"));

const PATIENCE_MS = 60_000;

/** A query is faulty while it is typed. */
const ORDINARY = /status of 400 .*\/format_query$/;

let browser: Browser | null = null;

function required(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: integration/gateway/test_page.py runs these tests`);
  return value;
}

before(async () => {
  browser = await chromium.launch({
    executablePath: required("PAGE_BROWSER"),
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
});

after(async () => browser?.close());

interface Options extends BrowserContextOptions {
  /** Errors of the browser's console that belong to what is tested. */
  readonly expected?: RegExp;
}

/** Do something on a page at a path; afterwards nothing may have gone wrong, and nobody else been asked for anything. */
export async function onPage(path: string, act: (page: Page) => Promise<void>, options: Options = {}): Promise<void> {
  assert.ok(browser);
  const { expected, ...context } = options;
  const opened = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: "Asia/Kolkata", ...context });
  const wrong: string[] = [];
  const page = await opened.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${URL_}/`)) wrong.push(`asked ${request.url()}`);
  });
  try {
    await page.goto(`${URL_}/${path}`);
    await page.locator("main").waitFor();
    await act(page);
  } finally {
    await opened.close();
  }
  assert.deepEqual(wrong.filter((text) => !ORDINARY.test(text) && expected?.test(text) !== true), []);
}

/** An address of the query view over the samples of the store. */
export function over(expr: string, more: Readonly<Record<string, string>> = {}): string {
  const end = new Date(END).toISOString().slice(0, 19).replace("T", " ");
  const said = { "g0.expr": expr, "g0.range_input": "9m", "g0.end_input": end, ...more };
  return `graph?${new URLSearchParams(said).toString()}`;
}

/** What the API answers. */
export async function asked(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
  const response = await fetch(`${URL_}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
  return ((await response.json()) as { data: unknown }).data;
}

/** What the address says of the first query. */
export function inAddress(page: Page, name: string): string | null {
  return new URL(page.url()).searchParams.get(name);
}

/** Until a condition holds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

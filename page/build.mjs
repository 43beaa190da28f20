/** Bundles the page into streamgauge/gateway/assets, byte by byte the same from the same sources; `--tests` the tests. */

import { build } from "esbuild";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    tests: { type: "boolean", default: false },
    out: { type: "string", default: join(here, "../streamgauge/gateway/assets") },
  },
});

const shared = {
  absWorkingDir: here,
  bundle: true,
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
};

async function buildPage(out) {
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const { metafile } = await build({
    ...shared,
    entryPoints: { app: "src/main.tsx" },
    outdir: out,
    format: "iife",
    target: ["chrome123", "firefox120", "safari17.5"],
    minify: true,
    legalComments: "none",
    metafile: true,
  });
  await copyFile(join(here, "src/index.html"), join(out, "index.html"));
  await copyFile(join(here, "src/icon.svg"), join(out, "icon.svg"));
  await writeFile(join(out, "LICENSES.txt"), await licences(Object.keys(metafile.inputs)));
}

/** The licences of all packages of which something is in the bundle. */
async function licences(inputs) {
  const packages = new Set(
    inputs.flatMap((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/)?.[1] ?? []),
  );
  const texts = [...packages].sort().map(async (name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? `Licence: ${license}` : await readFile(join(folder, file), "utf8");
    return `${name} ${version}\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(80)}\n`);
}

async function buildTests() {
  for (const folder of ["test", "browser"]) {
    const files = (await readdir(join(here, folder))).filter((name) => name.endsWith(".test.ts"));
    await build({
      ...shared,
      entryPoints: files.map((name) => join(folder, name)),
      outdir: join(here, "build", folder),
      outExtension: { ".js": ".mjs" },
      format: "esm",
      platform: "node",
      target: "node20",
      packages: "external",
      sourcemap: "inline",
    });
  }
}

await (values.tests ? buildTests() : buildPage(values.out));

// node check-loads.mjs REPORT.html [--times 20] [--throttle 6] [--timeout-s 60]
// Loads the report from its file and over HTTP, on a slow processor and without a network, and prints as
// JSON how often it was shown, and what it asked for beside itself.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, options, SHOWN } from "./browser.mjs";

const [[file], { times, throttle, "timeout-s": timeoutS }] = options({ times: 20, throttle: 6, "timeout-s": 60 });

async function load(browser, url) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const others = [];
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && request.url() !== url) others.push(request.url());
    });
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: Number(throttle) });
    const started = performance.now();
    await page.goto(url, { waitUntil: "commit" });
    const shown = await page
      .waitForFunction(SHOWN, null, { timeout: Number(timeoutS) * 1000, polling: 50 })
      .then(() => true, () => false);
    return { shown, ms: Math.round(performance.now() - started), others };
  } finally {
    await context.close();
  }
}

const server = createServer((request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(readFileSync(file));
}).listen(0, "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));
const browser = await launch();
try {
  const report = {};
  for (const [name, url] of [
    ["file", pathToFileURL(resolve(file)).href],
    ["http", `http://127.0.0.1:${server.address().port}/report.html`],
  ]) {
    const loads = [];
    for (let i = 0; i < Number(times); i++) loads.push(await load(browser, url));
    report[name] = {
      loads: loads.length,
      shown: loads.filter((one) => one.shown).length,
      slowest_ms: Math.max(...loads.map((one) => one.ms)),
      asked_for: [...new Set(loads.flatMap((one) => one.others))],
    };
  }
  console.log(JSON.stringify(report));
} finally {
  await browser.close();
  server.close();
}

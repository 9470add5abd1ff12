// Debian's Chromium through playwright-core, which downloads no browser of its own.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? CANDIDATES.find(existsSync);
  if (!executablePath) throw new Error("no Chromium here: apt-get install chromium, or set CHROMIUM");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // No name is ever looked up, so nothing but this machine can be reached.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}

// The report is there when its list of results can be read (a feature that passed is folded to its title);
// the spinner lies above everything else.
export const SHOWN = () =>
  document.querySelector("[data-testid=tree-section-title], [data-testid=tree-leaf-title]") !== null &&
  !document.querySelector("#allure-app-loader")?.offsetParent;

export function options(defaults) {
  const given = { ...defaults };
  const free = [];
  const words = process.argv.slice(2);
  while (words.length) {
    const word = words.shift();
    if (word.startsWith("--")) given[word.slice(2)] = words.shift();
    else free.push(word);
  }
  return [free, given];
}

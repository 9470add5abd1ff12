// node screenshot.mjs REPORT.html OUT.png [--width 1280] [--height 900] [--test worst|NAME] [--full yes]
// A picture of the report's first page, or of one test: the named one, or the first that did not pass.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, options, SHOWN } from "./browser.mjs";

const [[report, out], { width, height, test, full }] = options({ width: 1280, height: 900, test: "", full: "" });
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: Number(width), height: Number(height) } });
  await page.goto(pathToFileURL(resolve(report)).href);
  await page.waitForFunction(SHOWN);
  if (test) {
    const leaves = page.getByTestId("tree-leaf");
    // Features that passed are folded.
    if (test !== "worst" || !(await leaves.count()))
      for (const feature of await page.getByTestId("tree-section-title").all()) await feature.click();
    const having = (status) => leaves.filter({ has: page.getByTestId(`tree-leaf-status-${status}`) });
    const named = leaves.filter({ has: page.getByText(test, { exact: true }) });
    const choices = test === "worst" ? [having("failed"), having("broken"), leaves] : [named];
    for (const choice of choices) {
      if (!(await choice.count())) continue;
      await choice.first().click();
      break;
    }
    await page.getByTestId("test-result-info-title").waitFor();
  }
  // Frames with the description get their height after they are loaded; fonts come from the page itself.
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(500);
  if (full) {
    const needed = await page.evaluate(() =>
      Math.max(...[...document.querySelectorAll("*")].map((element) => element.scrollHeight)),
    );
    await page.setViewportSize({ width: Number(width), height: needed });
    await page.waitForTimeout(300);
  }
  await page.screenshot({ path: out });
} finally {
  await browser.close();
}

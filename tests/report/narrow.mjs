// node narrow.mjs REPORT.html WIDTH: how much room the report gives on a small screen, as JSON.
// {titles: [[words, width]] of the steps and attachments of the first test, cut: facts that are not read to their end}
import { pathToFileURL } from "node:url";
import { launch, SHOWN } from "../../ktrdr_qa/tell/generator/browser.mjs";

const [report, width] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: Number(width), height: 844 } });
  await page.goto(pathToFileURL(report).href);
  await page.waitForFunction(SHOWN);
  const cut = await page.evaluate(() =>
    [...document.querySelectorAll("[data-testid=metadata-item], [data-testid=metadata-item] *")]
      .filter((e) => getComputedStyle(e).overflow === "hidden" && e.scrollWidth > e.clientWidth)
      .map((e) => e.textContent),
  );
  if (!(await page.getByTestId("tree-leaf").count()))
    for (const feature of await page.getByTestId("tree-section-title").all()) await feature.click();
  await page.getByTestId("tree-leaf").first().click();
  await page.getByTestId("test-result-step-title").first().waitFor();
  const titles = await page.evaluate(() =>
    [
      ...document.querySelectorAll(
        "[data-testid=test-result-step-title], [data-testid=test-result-attachment-header] > button > span:last-child",
      ),
    ].map((e) => [e.textContent, Math.round(e.getBoundingClientRect().width)]),
  );
  console.log(JSON.stringify({ titles, cut }));
} finally {
  await browser.close();
}

// node narrow.mjs REPORT.html WIDTH: how much room the report gives on a small screen, as JSON.
// {titles: [[words, width]] of the steps and attachments of the first test, cut: facts that are not read to their end}
import { openFirstTest } from "./first_test.mjs";

const [report, width] = process.argv.slice(2);

const facts = async (page) => ({
  cut: await page.evaluate(() =>
    [...document.querySelectorAll("[data-testid=metadata-item], [data-testid=metadata-item] *")]
      .filter((e) => getComputedStyle(e).overflow === "hidden" && e.scrollWidth > e.clientWidth)
      .map((e) => e.textContent),
  ),
});

const titles = async (page) => ({
  titles: await page.evaluate(() =>
    [
      ...document.querySelectorAll(
        "[data-testid=test-result-step-title], [data-testid=test-result-attachment-header] > button > span:last-child",
      ),
    ].map((e) => [e.textContent, Math.round(e.getBoundingClientRect().width)]),
  ),
});

await openFirstTest(report, { width: Number(width), height: 844 }, titles, facts);

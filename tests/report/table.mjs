// node table.mjs REPORT.html ATTACHMENT: how a table in Markdown is shown in the first test, as JSON.
// {cut: how many pixels of it are cut off on the right, seen: whether one can scroll to its end}
import { pathToFileURL } from "node:url";
import { launch, SHOWN } from "../../ktrdr_qa/tell/generator/browser.mjs";

const [report, attachment] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  await page.goto(pathToFileURL(report).href);
  await page.waitForFunction(SHOWN);
  if (!(await page.getByTestId("tree-leaf").count()))
    for (const feature of await page.getByTestId("tree-section-title").all()) await feature.click();
  await page.getByTestId("tree-leaf").first().click();
  await page.getByText(attachment).first().click();
  const frame = page.frameLocator('iframe[title="Markdown attachment"]');
  const cut = await frame.locator("table").evaluate((table) => table.scrollWidth - table.clientWidth);
  const last = frame.locator("td").last();
  await last.hover();
  const seen = await last.evaluate((cell) => cell.getBoundingClientRect().top < innerHeight);
  console.log(JSON.stringify({ cut, seen }));
} finally {
  await browser.close();
}

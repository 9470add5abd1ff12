// node table.mjs REPORT.html ATTACHMENT: how a table in Markdown is shown in the first test, as JSON.
// {cut: how many pixels of it are cut off on the right, seen: whether one can scroll to its end}
import { openFirstTest } from "./first_test.mjs";

const [report, attachment] = process.argv.slice(2);
await openFirstTest(report, { width: 1400, height: 1000 }, async (page) => {
  await page.getByText(attachment).first().click();
  const frame = page.frameLocator('iframe[title="Markdown attachment"]');
  const cut = await frame.locator("table").evaluate((table) => table.scrollWidth - table.clientWidth);
  const last = frame.locator("td").last();
  await last.hover();
  const seen = await last.evaluate((cell) => cell.getBoundingClientRect().top < innerHeight);
  return { cut, seen };
});

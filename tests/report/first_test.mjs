// The page of the first test of a report, opened for `use`; what that returns is printed as JSON.
import { pathToFileURL } from "node:url";
import { launch, SHOWN } from "../../ktrdr_qa/tell/generator/browser.mjs";

export async function openFirstTest(report, viewport, use, before = () => ({})) {
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport });
    await page.goto(pathToFileURL(report).href);
    await page.waitForFunction(SHOWN);
    const seen = await before(page);
    // Features that passed are folded.
    if (!(await page.getByTestId("tree-leaf").count()))
      for (const feature of await page.getByTestId("tree-section-title").all()) await feature.click();
    await page.getByTestId("tree-leaf").first().click();
    await page.getByTestId("test-result-step-title").first().waitFor();
    console.log(JSON.stringify({ ...seen, ...(await use(page)) }));
  } finally {
    await browser.close();
  }
}

// node overlaps.mjs PICTURE.svg...: the pairs of texts that cover each other, and the texts that stick out, as JSON,
// measured by Chromium with each picture at a report's width.
import { readFileSync } from "node:fs";
import { launch } from "../../ktrdr_qa/tell/generator/browser.mjs";

const browser = await launch();
const report = {};
try {
  for (const file of process.argv.slice(2)) {
    const page = await browser.newPage({ viewport: { width: 900, height: 900 } });
    const svg = readFileSync(file, "utf8").replace(/^[\s\S]*?<svg/, "<svg");
    await page.setContent(`<body style="margin:0"><div style="width:860px">${svg}</div></body>`);
    report[file] = await page.evaluate(() => {
      const picture = document.querySelector("svg");
      picture.style.width = "100%";
      picture.style.height = "auto";
      const whole = picture.getBoundingClientRect();
      const texts = [...document.querySelectorAll("text")].filter((text) => text.textContent.trim());
      const boxes = texts.map((text) => [text.textContent.trim(), text.getBoundingClientRect()]);
      const wrong = [];
      boxes.forEach(([words, a], i) => {
        if (a.left < whole.left - 1 || a.right > whole.right + 1 || a.top < whole.top - 1 || a.bottom > whole.bottom + 1)
          wrong.push([words, "sticks out"]);
        for (const [others, b] of boxes.slice(i + 1)) {
          const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          // The boxes of letters without descenders touch; two pixels of letters do not.
          if (across > 1 && down > 3) wrong.push([words, others]);
        }
      });
      return { texts: texts.length, wrong };
    });
    await page.close();
  }
  console.log(JSON.stringify(report));
} finally {
  await browser.close();
}

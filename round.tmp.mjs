import { createServer } from "vite";
import { chromium } from "playwright-core";
const jobs = JSON.parse(process.argv[2]); // [[part,[names],theme,width]]
const server = await createServer({ configFile: process.cwd()+"/web/article/vite.config.ts", server: { port: 0, headers: {"Cross-Origin-Opener-Policy":"same-origin","Cross-Origin-Embedder-Policy":"require-corp"} }, logLevel: "error" });
await server.listen();
const url = server.resolvedUrls.local[0];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const [part, names, theme, width] of jobs) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: theme });
  page.on("console", (m) => ["error","warning"].includes(m.type()) && console.log("console:", m.text(), m.location().url));
  page.on("pageerror", (e) => console.log("pageerror:", e.message));
  await page.goto(url + "tutorial/" + part + ".html");
  for (const name of names) {
    const sel = `[data-figure="${name}"]`;
    const t0 = Date.now();
    await page.locator(sel).scrollIntoViewIfNeeded().catch((e)=>console.log(e.message));
    await page.waitForSelector(`${sel} .frame[data-live=true][data-state=idle]`, { timeout: 60000 }).catch(async () => console.log(name, "not live:", await page.locator(sel).innerText().catch(()=>"?")));
    console.log(name, "live after", Date.now() - t0);
    if (["points","training"].includes(name)) {
      await page.locator(`${sel} button.main`).click();
      await page.waitForTimeout(name === "points" ? 4000 : 15000);
      await page.locator(`${sel} button.main`).click().catch(()=>{});
    }
    if (name === "noise" && width < 400) { await page.getByRole("button", {name:"Draw one"}).click(); await page.locator(".pad").click(); }
    await page.waitForTimeout(300);
    await page.locator(sel).screenshot({ path: `/tmp/figs/${name}-${theme}-${width}.png` });
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) console.log(part, width, "sideways", wide);
  await page.close();
}
await browser.close(); await server.close();

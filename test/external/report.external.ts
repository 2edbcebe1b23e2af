/** The morning report in a real browser: offline, without a complaint, with links that lead to viewers. */
import { join } from 'node:path';
import test from 'ava';
import { inFolder, stagewright } from '../cli/run.ts';
import { newPage, openBrowser } from './browser.ts';

test('the report opens offline, and its link leads to the failing step', async (t) => {
  const browser = await openBrowser();
  try {
    await inFolder(async (parent) => {
      const folder = join(parent, 'night');
      const words = ['fuzz', 'canary', '--bug', 'canary', '--runs', '60', '--jobs', '1'];
      t.is((await stagewright([...words, '--out', folder])).code, 1);
      t.is((await stagewright(['report', folder])).code, 0);
      const { page, complaints } = await newPage(browser);
      await page.goto(`file://${join(folder, 'report.html')}`);
      t.regex((await page.locator('h1').textContent()) ?? '', /findings? in 60 executions/);
      t.true(await page.locator('.curve').isVisible());
      await page.getByRole('link', { name: 'step through it' }).first().click();
      await page.waitForSelector('html[data-ready]');
      t.regex((await page.locator('.row.current').first().textContent()) ?? '', /✗/);
      t.deepEqual(complaints, { errors: [], requests: [] });
    });
  } finally {
    await browser.close();
  }
});

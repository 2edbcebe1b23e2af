/** Makes the pictures and the replays of the documents: `npm run pictures`. Needs a Chromium (CHROMIUM names one). */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCase } from '../../campaign/corpus.ts';
import { viewerPage } from '../../cli/viewer.ts';
import { replayCase } from '../../fuzz/replay.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { REPLAYS, withReplays } from '../replays.ts';
import { newPage, openBrowser } from './browser.ts';

interface Picture {
  readonly name: string;
  readonly file: string;
  readonly scheme: 'light' | 'dark';
  readonly width: number;
  readonly keys: readonly string[];
}

const FOLDER = 'docs/pictures';
const HEIGHT = 820;

const PICTURES: readonly Picture[] = [
  {
    name: 'viewer-story',
    file: 'corpus/kvm-arm64/A20-table-level-as-hint.yaml',
    scheme: 'light',
    width: 1360,
    keys: [],
  },
  {
    name: 'viewer-side-by-side',
    file: 'corpus/kvm-arm64/M28-log-taken-after-protect.yaml',
    scheme: 'dark',
    width: 1600,
    keys: ['a', 'Home', 'm', 'm', 'm'],
  },
  {
    name: 'viewer-x86',
    file: 'corpus/kvm-x86-tdp/K10-section-ends-before-flush.yaml',
    scheme: 'light',
    width: 1360,
    keys: ['2'],
  },
];

/** Puts the replay of each named case into the block below its name. */
function writeReplays(): void {
  writeFileSync(REPLAYS, withReplays(readFileSync(REPLAYS, 'utf8')));
  process.stdout.write(`${REPLAYS}\n`);
}

writeReplays();
const scratch = mkdtempSync(join(tmpdir(), 'stagewright-pictures-'));
const browser = await openBrowser();
try {
  mkdirSync(FOLDER, { recursive: true });
  for (const { name, file, scheme, width, keys } of PICTURES) {
    const value = readCase(file);
    const html = join(scratch, `${name}.html`);
    writeFileSync(html, viewerPage(file, value, replayCase(new Sessions(), value)));
    const viewport = { width, height: HEIGHT };
    const { page, complaints } = await newPage(browser, { viewport, colorScheme: scheme });
    await page.goto(`file://${html}`);
    await page.waitForSelector('html[data-ready]');
    for (const key of keys) await page.keyboard.press(key);
    if (complaints.errors.length > 0) throw new Error(complaints.errors.join('\n'));
    await page.screenshot({ path: join(FOLDER, `${name}.png`) });
    await page.close();
    process.stdout.write(`${join(FOLDER, name)}.png\n`);
  }
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
}

/** The trace viewer in a real browser: offline, by keyboard, with 100,000 events. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Browser, Page } from 'playwright-core';
import { readCase } from '../../campaign/corpus.ts';
import { viewerPage } from '../../cli/viewer.ts';
import type { Case } from '../../fuzz/case.ts';
import type { ProgramOperation } from '../../fuzz/program.ts';
import { Random } from '../../fuzz/random.ts';
import { Recorder } from '../../fuzz/recorder.ts';
import { type Replay, replayCase, Verdict } from '../../fuzz/replay.ts';
import { type PlannedRun, runRecorded, whole } from '../../fuzz/schedule.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { RandomStrategy } from '../../fuzz/strategies/random.ts';
import { CALM } from '../../fuzz/temper.ts';
import { inFolder } from '../cli/run.ts';
import { type Complaints, newPage, openBrowser } from './browser.ts';

const A20 = 'corpus/kvm-arm64/A20-table-level-as-hint.yaml';
const LARGE_ROWS = 100_000;
const OPENS_WITHIN_MS = 2000;

let browser: Browser;
test.before(async () => {
  browser = await openBrowser();
});
test.after.always(() => browser?.close());

function pageOf(file: string): string {
  const value = readCase(file);
  return viewerPage(file, value, replayCase(new Sessions(), value));
}

/** Opens a text as a page from a file, hands it over, and looks that it did not complain. */
async function withPage(
  t: { deepEqual(actual: unknown, expected: unknown, message?: string): unknown },
  text: string,
  use: (page: Page, opened: number) => Promise<void>,
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<void> {
  await inFolder(async (folder) => {
    const file = join(folder, 'page.html');
    writeFileSync(file, text);
    const { page, complaints } = await newPage(browser, options);
    const started = performance.now();
    await page.goto(`file://${file}`);
    await page.waitForSelector('html[data-ready]');
    await page.locator('.row.current').first().waitFor();
    await use(page, performance.now() - started);
    const none: Complaints = { errors: [], requests: [] };
    t.deepEqual(complaints, none);
    await page.close();
  });
}

const CURRENT = '.lanes.active .row.current';

/** The row under the cursor of the run that is looked at. */
async function current(page: Page): Promise<string> {
  return (await page.locator(CURRENT).textContent()) ?? '';
}

async function press(page: Page, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

test.serial('it opens at the failing step and says what was broken', async (t) => {
  await withPage(t, pageOf(A20), async (page) => {
    t.regex(await current(page), /79.*✗.*frees page 106 \(table\)/);
    t.is(await page.locator('#verdict').textContent(), 'reproduced');
    t.regex((await page.locator('#title').textContent()) ?? '', /^Table page 106 was freed while/);
    t.regex((await page.locator('.step-card').textContent()) ?? '', /page 106 ?free ?was table/);
    t.regex((await page.locator('.card.tlb').textContent()) ?? '', /walk-cache 0x0 to 0x3/);
    t.regex((await page.locator('.card.lock').textContent()) ?? '', /mmu_lockhost\.u1/);
  });
});

test.serial('the keyboard steps back and forth, and the state goes with it', async (t) => {
  await withPage(t, pageOf(A20), async (page) => {
    const last = await current(page);
    await press(page, 'ArrowUp');
    t.regex(await current(page), /TLBI VMALLE1IS/);
    await press(page, 'ArrowDown');
    t.is(await current(page), last);
    await press(page, 'Home');
    t.regex(await current(page), /r1: read 0x0/);
    t.regex((await page.locator('.card.tlb').textContent()) ?? '', /nothing is cached/);
    await press(page, '3', 'End');
    t.is(await current(page), last);
    await press(page, 'Home', 'v');
    t.is(await current(page), last);
    // the accesses of the word that names the freed table
    await press(page, '1', 'ArrowUp', 'ArrowUp', 'ArrowUp');
    t.regex(await current(page), /②.*level 2 entry: table page 106/);
    t.regex((await page.locator('.step-card').textContent()) ?? '', /It changed/);
    await press(page, 'W');
    t.regex(await current(page), /page 104 entry 0|level 2 entry|walker reads level 2/);
    await press(page, 'v', '[');
    t.not(await current(page), last);
    await press(page, ']');
    t.is(await current(page), last);
    await press(page, 'M');
    t.not(await current(page), last);
  });
});

test.serial('the passing neighbour stands beside it, at the event of the same name', async (t) => {
  await withPage(t, pageOf(A20), async (page) => {
    t.is(await page.locator('.lanes:visible').count(), 1);
    await press(page, 's');
    t.is(await page.locator('.lanes:visible').count(), 2);
    t.deepEqual(await page.locator('.verdict').allTextContents(), ['✗ fails', '✓ passes']);
    const rows = await page.locator('.row.current .text').allTextContents();
    t.deepEqual(rows, ['frees page 106 (table)', 'frees page 106 (table)']);
    await press(page, 'x');
    t.regex((await page.locator('.lanes.active .run-title').textContent()) ?? '', /passes/);
    t.regex((await page.locator('.card.tlb').textContent()) ?? '', /nothing is cached/);
  });
});

test.serial('search finds rows, also those that the story leaves out', async (t) => {
  await withPage(t, pageOf(A20), async (page) => {
    await press(page, '/');
    await page.keyboard.type('mmap_lock');
    t.regex((await page.locator('#count').textContent()) ?? '', /^\d+ found$/);
    await press(page, 'Enter');
    t.regex(await current(page), /mmap_lock/);
    const one = await current(page);
    await press(page, 'Escape', 'n');
    t.regex(await current(page), /mmap_lock/);
    t.not(await current(page), one);
    await press(page, 'N');
    t.is(await current(page), one);
  });
});

test.serial(
  'what matters is a button away; arrows, explanation, case, keys and theme',
  async (t) => {
    await withPage(t, pageOf(A20), async (page) => {
      await page.getByRole('button', { name: /first of the pair/ }).click();
      t.regex(await current(page), /①.*PE 0 caches a walk-cache entry/);
      await press(page, 'v');
      t.true((await page.locator('.active .arrow.cause').count()) > 0);
      t.is(await page.locator('.active .arrow.order').count(), 2);
      t.is(await page.locator('.active .arrow.any').count(), 0);
      await press(page, 'a');
      t.true((await page.locator('.active .arrow.any').count()) > 3);
      await press(page, 'e');
      t.regex(
        (await page.locator('#explanation').innerText()) ?? '',
        /decided by the order of two/,
      );
      await press(page, 'e');
      t.regex((await page.locator('#case').innerText()) ?? '', /bug: A20-table-level-as-hint/);
      await press(page, '?');
      t.true(await page.getByRole('heading', { name: 'Keys' }).isVisible());
      await press(page, 'Escape');
      const paper = (): Promise<string> =>
        page.evaluate('getComputedStyle(document.body).backgroundColor');
      const light = await paper();
      await press(page, 't');
      t.not(await paper(), light);
      await press(page, 't');
      t.is(await paper(), light);
    });
  },
);

test.serial('it is readable to a screen reader', async (t) => {
  await withPage(t, pageOf(A20), async (page) => {
    const list = page.getByRole('listbox', { name: 'events of failing run' });
    const active = await list.getAttribute('aria-activedescendant');
    t.regex(
      (await page.locator(`#${active}`).getAttribute('aria-label')) ?? '',
      /^host\.u1: frees/,
    );
    await press(page, 'ArrowUp');
    t.regex((await page.locator('#live').textContent()) ?? '', /^step 73, host\.u1: TLBI/);
  });
});

test.serial('every case of the corpus that fails opens without a complaint', async (t) => {
  for (const file of [
    'corpus/kvm-arm64/A37-context-not-synchronised.yaml',
    'corpus/kvm-arm64/M10-unlinked-table-put-twice.yaml',
    'corpus/kvm-arm64/M14-cache-filled-under-lock.yaml',
    'corpus/kvm-arm64/question-leaf-becomes-table.yaml',
    'corpus/kvm-x86-tdp/K10-section-ends-before-flush.yaml',
  ]) {
    await withPage(t, pageOf(file), async (page) => {
      t.true((await page.locator('.row').count()) > 3, file);
      await press(page, '3', 'Home', 'PageDown', 'End', 's', 'a');
      t.notRegex(await page.locator('body').innerText(), /undefined|NaN|\[object/, file);
    });
  }
});

/** A long run of the correct model: many reads and unmaps. */
function longReplay(): { value: Case; replay: Replay } {
  const sessions = new Sessions();
  const session = sessions.get('kvm-arm64', 'exclusive-toy', []);
  const of = (
    key: string,
    count: number,
    make: (index: number) => [string, ...number[]],
  ): ProgramOperation[] =>
    Array.from({ length: count }, (_, index) => {
      const [operation, ...args] = make(index);
      return { key: `${key}${index + 1}`, operation, args };
    });
  const program = [
    { actor: 'vcpu0', operations: of('w', 1200, (index) => ['write', index % 4]) },
    { actor: 'vcpu1', operations: of('r', 1200, (index) => ['read', index % 4]) },
    { actor: 'host', operations: of('u', 1200, (index) => ['unmap', index % 4, 1]) },
  ];
  const plan = { program, parameters: {}, order: [], choices: [] };
  const value: Case = {
    ...plan,
    comment: '',
    policy: 1,
    system: 'kvm-arm64',
    configuration: 'exclusive-toy',
    bug: undefined,
    expect: undefined,
    recorded: undefined,
  };
  const recorder = new Recorder(new RandomStrategy(new Random(1, 1), CALM));
  session.load(program);
  const result = runRecorded(session, plan, recorder);
  const run: PlannedRun = { ...whole(result), recorder, answers: session.answers, broken: [] };
  const replay: Replay = {
    session,
    run,
    violation: run.violation,
    verdict: Verdict.Clean,
    reason: '',
    digestMatches: undefined,
  };
  return { value, replay };
}

test.serial(
  `${LARGE_ROWS} rows open within ${OPENS_WITHIN_MS} ms and can be walked through`,
  async (t) => {
    const { value, replay } = longReplay();
    const rows = replay.session.machine.trace.count;
    t.true(rows >= LARGE_ROWS, `${rows} rows`);
    const text = viewerPage('long.yaml', value, replay);
    await withPage(t, text, async (page, opened) => {
      t.log(
        `${rows} rows, ${(text.length / 1e6).toFixed(1)} MB: open after ${opened.toFixed(0)} ms`,
      );
      t.true(opened < OPENS_WITHIN_MS, `${opened.toFixed(0)} ms`);
      const started = performance.now();
      await press(page, '3', 'End', 'PageUp', 'Home', 'PageDown', '2', 'End');
      t.log(`far jumps: ${((performance.now() - started) / 7).toFixed(0)} ms each`);
      // only what is in sight is there
      t.true((await page.locator('.row').count()) < 120);
    });
  },
);

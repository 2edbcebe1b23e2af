/**
 * Which oracles notice which bug: each case of the corpus run with one oracle at a time, so that the first
 * to object does not hide the others. The stored order first, then more schedules of the same program.
 */
import type { Case } from '../fuzz/case.ts';
import { configurationIn, systemIn } from '../fuzz/catalogue.ts';
import { runPlan } from '../fuzz/schedule.ts';
import { search } from '../fuzz/search.ts';
import { Session } from '../fuzz/session.ts';
import { catalogue } from './catalogue.ts';

/** How an oracle meets a bug: by the stored order, by another schedule of its program, or not at all. */
export type Kill = 'order' | 'search' | 'none';

export interface KillRow {
  readonly system: string;
  readonly bug: string;
  /** Oracle of the case's expectation. */
  readonly expected: string;
  readonly kills: Readonly<Record<string, Kill>>;
}

/** Schedules of each program that are tried; the same every time. */
const SCHEDULES = 40;
const SEED = 0x6b696c6c;

export function killRow(value: Case): KillRow | undefined {
  const { bug, expect } = value;
  if (bug === undefined || expect === undefined) return undefined;
  const known = catalogue();
  const system = systemIn(known, value.system);
  const configuration = configurationIn(system, value.configuration);
  const kills = known.oracles.map(({ id }): readonly [string, Kill] => {
    const options = { bugs: [bug], oracles: [id], oracleSpecs: known.oracles };
    const session = new Session(system, configuration, options);
    return [id, killOf(session, value)];
  });
  return {
    system: value.system,
    bug,
    expected: expect.oracle,
    kills: Object.fromEntries(kills),
  };
}

function killOf(session: Session, value: Case): Kill {
  if (runPlan(session, value).violation !== undefined) return 'order';
  let isFound = false;
  search(
    session,
    value,
    SEED,
    SCHEDULES,
    (scheduler) => scheduler,
    ({ violation }) => {
      isFound = violation !== undefined;
      return isFound;
    },
  );
  return isFound ? 'search' : 'none';
}

// ---- as text: a line per bug, so that a diff is a sentence ----

/** What stands above the matrix that is kept; lines that begin with # are no part of it. */
export const KILL_HEADER = `# Which oracles notice which bug: made by "stagewright corpus matrix --out docs/kill-matrix.txt", kept to be reviewed.
#
#   SYSTEM BUG: ORACLE-OF-THE-CASE OTHERS (OTHERS-IN-OTHER-SCHEDULES)
#
# Each case runs with one oracle at a time, so that none hides another, first in its stored order, then in ${SCHEDULES} other schedules of its
# program; NOT is an oracle that its case names and that does not notice it alone.
#
# Review, line by line, whenever "corpus matrix --base docs/kill-matrix.txt" shows a difference (a test fails when an oracle is gone):
# - Is each oracle that the bug's entry names here? If not: is the case too small for it (say so in docs/fidelity.md), or is the oracle blind?
# - An oracle that is new on a line: does it object to this bug, or to something else that its clause takes for one?
# - An oracle that is gone: was it made blind, or does the case end before it? A bug with one oracle left hangs by it.
`;

/** `system bug: expected* by-order (by-search)`. */
export function killText(rows: readonly KillRow[]): string {
  return `${rows.map(killLine).sort(byText).join('\n')}\n`;
}

function killLine({ system, bug, expected, kills }: KillRow): string {
  const found = Object.entries(kills).filter(([id, kill]) => kill !== 'none' && id !== expected);
  const others = found.map(([id, kill]) => (kill === 'order' ? id : `(${id})`)).sort(byText);
  const first = kills[expected] === 'none' ? `${expected} NOT` : expected;
  return `${system} ${bug}: ${[first, ...others].join(' ')}`;
}

function isLine(text: string): boolean {
  return text !== '' && !text.startsWith('#');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Lines that differ, with a sign, in the order of their bugs; empty when none does. */
export function killDiff(before: string, after: string): readonly string[] {
  const [old, now] = [before, after].map((text) => new Set(text.split('\n').filter(isLine)));
  const gone = [...old!].filter((line) => !now!.has(line)).map((line) => `- ${line}`);
  const fresh = [...now!].filter((line) => !old!.has(line)).map((line) => `+ ${line}`);
  return [...gone, ...fresh].sort((a, b) => byText(a.slice(2), b.slice(2)) || byText(b, a));
}

// ---- as a page ----

const SIGNS: Readonly<Record<Kill, string>> = { order: '●', search: '○', none: '' };

export function killPage(rows: readonly KillRow[]): string {
  const oracles = Object.keys(rows[0]?.kills ?? {});
  const sorted = [...rows].sort((a, b) => byText(`${a.system} ${a.bug}`, `${b.system} ${b.bug}`));
  const body = sorted.map(
    ({ system, bug, expected, kills }) =>
      `<tr><th scope="row">${system}</th><th scope="row">${bug}</th>${oracles
        .map((id) => {
          const kill = kills[id]!;
          const kind = id === expected ? `expected ${kill}` : kill;
          return `<td class="${kind}" title="${bug}: ${id}: ${kill}">${SIGNS[kill]}</td>`;
        })
        .join('')}</tr>`,
  );
  const sums = oracles.map((id) => rows.filter(({ kills }) => kills[id] !== 'none').length);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Stagewright: bugs and oracles</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1b1b1b; }
table { border-collapse: collapse; }
th { text-align: left; font-weight: normal; padding: 0 0.6rem 0 0; white-space: nowrap; }
thead th { vertical-align: bottom; }
thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
td { width: 1.3rem; height: 1.3rem; text-align: center; border: 1px solid #ddd; }
td.order { background: #2c7fb8; color: #fff; } td.search { background: #c7e9f4; }
td.expected { outline: 2px solid #1b1b1b; outline-offset: -2px; } td.expected.none { background: #d95f02; }
tr:hover { background: #f1f1f1; }
</style>
</head>
<body>
<h1>Which oracle notices which bug</h1>
<p>● in the order that the case stores, ○ in one of ${SCHEDULES} other schedules of its program; framed: the oracle of the case. Each oracle
alone, so that none hides another. ${rows.length} bugs.</p>
<table>
<thead><tr><th></th><th></th>${oracles.map((id) => `<th scope="col"><span>${id}</span></th>`).join('')}</tr></thead>
<tbody>
${body.join('\n')}
<tr><th></th><th>bugs noticed</th>${sums.map((sum) => `<td>${sum}</td>`).join('')}</tr>
</tbody>
</table>
</body>
</html>
`;
}

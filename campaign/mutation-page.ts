/** Results of mutants over several systems as one page: kill rates, survivors, and what changed since a base. */
import { MutantVerdict } from '../fuzz/trial.ts';
import type { MutantItem } from './mutants.ts';

/** Results of one system. */
export interface SystemMutants {
  readonly system: string;
  readonly mutants: readonly MutantItem[];
}

/** Killed, of those tried and not shown equivalent, in percent. */
export function killRate(mutants: readonly MutantItem[]): number {
  const count = (verdict: MutantVerdict): number =>
    mutants.filter((one) => one.verdict === verdict).length;
  const left = [MutantVerdict.Equivalent, MutantVerdict.NeedsFidelity].reduce(
    (sum, verdict) => sum + count(verdict),
    0,
  );
  const tried = mutants.length - left;
  return tried === 0 ? 0 : Math.round((1000 * count(MutantVerdict.Killed)) / tried) / 10;
}

/** A mutant whose verdict is another than in the base; undefined where one of the two does not have it. */
export interface Change {
  readonly system: string;
  readonly id: string;
  readonly before: MutantVerdict | undefined;
  readonly now: MutantVerdict | undefined;
}

export function changesSince(
  base: readonly SystemMutants[],
  now: readonly SystemMutants[],
): readonly Change[] {
  return now.flatMap(({ system, mutants }) => {
    const known = base.find((one) => one.system === system);
    if (known === undefined) return [];
    const before = new Map(known.mutants.map(({ id, verdict }) => [id, verdict]));
    const after = new Map(mutants.map(({ id, verdict }) => [id, verdict]));
    return [...new Set([...before.keys(), ...after.keys()])]
      .sort((a, b) => (a < b ? -1 : 1))
      .map((id) => ({ system, id, before: before.get(id), now: after.get(id) }))
      .filter((one) => one.before !== one.now);
  });
}

export function mutationPage(
  all: readonly SystemMutants[],
  base: readonly SystemMutants[] | undefined,
): string {
  const changes = base === undefined ? [] : changesSince(base, all);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Stagewright: mutants</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; max-width: 80rem; color: #1b1b1b; }
table { border-collapse: collapse; margin-bottom: 2rem; }
th, td { text-align: left; padding: 0.2rem 1rem 0.2rem 0; border-bottom: 1px solid #e5e5e5; }
td.number { text-align: right; }
.bar { display: inline-block; height: 0.7rem; background: #2c7fb8; } .rest { background: #d95f02; }
</style>
</head>
<body>
<h1>Mutants</h1>
<p>Single accesses of each system dropped, changed or swapped at run time; a mutant is killed when an oracle objects.</p>
<table>
<tr><th>system</th><th>mutants</th><th>killed</th><th>survive</th><th>equivalent</th><th>not reached</th><th>kill rate</th><th></th><th>since the base</th></tr>
${all.map((one) => summaryRow(one, base)).join('\n')}
</table>
${changes.length === 0 ? '' : `<h2>Other than in the base</h2>\n${changeTable(changes)}`}
<h2>Survivors, and what no execution came to</h2>
${survivorTable(all)}
</body>
</html>
`;
}

function summaryRow(
  { system, mutants }: SystemMutants,
  base: readonly SystemMutants[] | undefined,
): string {
  const count = (verdict: MutantVerdict): string =>
    `<td class="number">${mutants.filter((one) => one.verdict === verdict).length}</td>`;
  const rate = killRate(mutants);
  const known = base?.find((one) => one.system === system);
  const trend = known === undefined ? '' : signed(rate - killRate(known.mutants));
  const bar = `<span class="bar" style="width:${rate * 2}px"></span><span class="bar rest" style="width:${(100 - rate) * 2}px"></span>`;
  return `<tr><td>${escapeHtml(system)}</td><td class="number">${mutants.length}</td>${count(MutantVerdict.Killed)}${count(MutantVerdict.Survivor)}${count(MutantVerdict.Equivalent)}${count(MutantVerdict.NotReached)}<td class="number">${rate} %</td><td>${bar}</td><td>${trend}</td></tr>`;
}

function signed(difference: number): string {
  const text = difference.toFixed(1);
  return `${difference > 0 ? '+' : ''}${text === '-0.0' ? '0.0' : text}`;
}

function changeTable(changes: readonly Change[]): string {
  const rows = changes.map(
    ({ system, id, before, now }) =>
      `<tr><td>${escapeHtml(system)}</td><td>${escapeHtml(id)}</td><td>${before ?? 'no such mutant'}</td><td>${now ?? 'no such mutant'}</td></tr>`,
  );
  return `<table>\n<tr><th>system</th><th>mutant</th><th>base</th><th>now</th></tr>\n${rows.join('\n')}\n</table>`;
}

function survivorTable(all: readonly SystemMutants[]): string {
  const open: readonly MutantVerdict[] = [MutantVerdict.Survivor, MutantVerdict.NotReached];
  const rows = all.flatMap(({ system, mutants }) =>
    mutants
      .filter(({ verdict }) => open.includes(verdict))
      .map(
        ({ id, verdict, kind, executions, changed }) =>
          `<tr><td>${escapeHtml(system)}</td><td>${escapeHtml(id)}</td><td>${escapeHtml(kind)}</td><td>${verdict}</td><td class="number">${executions}</td><td class="number">${changed}</td></tr>`,
      ),
  );
  if (rows.length === 0) return '<p>None.</p>';
  return `<table>\n<tr><th>system</th><th>mutant</th><th>kind</th><th>verdict</th><th>executions</th><th>made a difference</th></tr>\n${rows.join('\n')}\n</table>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

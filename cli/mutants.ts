/** `mutants`: which changes of single accesses the oracles notice. */
import { CORPUS_FOLDER } from '../campaign/corpus.ts';
import { type MutantItem, type MutationReport, MutationRun } from '../campaign/mutants.ts';
import {
  configurationsOf,
  parseCount,
  parseDuration,
  parseSeed,
  systemsNamed,
  UsageError,
} from '../campaign/options.ts';
import { exploreJudge } from '../fuzz/judge.ts';
import { MutantVerdict } from '../fuzz/trial.ts';
import { Exit, print, printJson, StatusLine, table, thousands } from './terminal.ts';

export interface MutantFlags {
  readonly configuration?: string;
  readonly seed?: string;
  readonly runs?: string;
  readonly time?: string;
  readonly only?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const DEFAULT_RUNS = 10_000;

export async function mutants(id: string, flags: MutantFlags): Promise<number> {
  const system = systemsNamed([id])[0]!;
  const named = configurationsOf(system, flags.configuration, undefined);
  // the same code runs in toy and real geometries, and runs in toy ones are short
  const toy = named.filter(({ isReal }) => !isReal);
  const seed = flags.seed === undefined ? 1 : parseSeed(flags.seed);
  const runs = flags.runs === undefined ? DEFAULT_RUNS : parseCount('--runs')(flags.runs);
  const run = new MutationRun({
    system,
    configurations: toy.length > 0 ? toy : named,
    corpus: CORPUS_FOLDER,
    seed,
    runs,
    seconds: secondsOf(flags.time),
    only: flags.only,
    out: flags.out,
    judge: exploreJudge,
  });
  const stop = (): void => {
    run.interrupted = true;
  };
  process.once('SIGINT', stop);
  const line = new StatusLine(flags.json === true);
  let killed = 0;
  const report = await run.run((item, done, all) => {
    if (item.verdict === MutantVerdict.Killed) killed += 1;
    line.show(`${done} of ${all} mutants, ${killed} killed; ${item.id}: ${item.verdict}`);
  });
  process.removeListener('SIGINT', stop);
  line.clear();
  const totals = totalsOf(report.mutants);
  if (flags.json === true) {
    printJson({ command: 'mutants', system: system.id, seed, runs, ...report, totals });
  } else printReport(report, totals);
  return totals.survivors + totals.notReached > 0 ? Exit.Finding : Exit.Clean;
}

function secondsOf(time: string | undefined): number | undefined {
  if (time === undefined) return undefined;
  const value = parseDuration(time);
  if (value > 0) return value;
  throw new UsageError('--time is 0; a duration above 0 is allowed');
}

interface Totals {
  readonly mutants: number;
  readonly killed: number;
  readonly survivors: number;
  readonly equivalent: number;
  readonly notReached: number;
  /** Not tried: without effect at the fidelity of the configurations. */
  readonly needsFidelity: number;
  /** Killed, of those tried and not shown equivalent; in percent. */
  readonly killRate: number;
  /** Shown equivalent, of those tried; in percent. */
  readonly equivalentShare: number;
}

function totalsOf(items: readonly MutantItem[]): Totals {
  const count = (verdict: MutantVerdict): number =>
    items.filter((item) => item.verdict === verdict).length;
  const killed = count(MutantVerdict.Killed);
  const equivalent = count(MutantVerdict.Equivalent);
  const needsFidelity = count(MutantVerdict.NeedsFidelity);
  const tried = items.length - needsFidelity;
  return {
    mutants: items.length,
    killed,
    survivors: count(MutantVerdict.Survivor),
    equivalent,
    notReached: count(MutantVerdict.NotReached),
    needsFidelity,
    killRate: percent(killed, tried - equivalent),
    equivalentShare: percent(equivalent, tried),
  };
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((1000 * part) / whole) / 10;
}

function printReport(
  { mutants: items, unreached, profiled, interrupted }: MutationReport,
  totals: Totals,
): void {
  const order = Object.values(MutantVerdict);
  const sorted = [...items].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  print(
    table(
      ['verdict', 'kind', 'mutant', 'oracle', 'executions', 'changed'],
      sorted.map((item) => [
        item.verdict,
        item.kind,
        item.id,
        item.oracle === null ? '-' : `${item.oracle} (${item.rule})`,
        thousands(item.executions),
        thousands(item.changed),
      ]),
    ),
  );
  print('');
  if (unreached.length > 0) {
    const sites = unreached.join(', ');
    print(
      `sites without mutants, as ${thousands(profiled)} correct executions do not come to them: ${sites}`,
    );
  }
  if (interrupted) print('interrupted: the rest was not tried');
  print(
    `${totals.mutants} mutants: ${totals.killed} killed, ${totals.survivors} survive, ` +
      `${totals.equivalent} equivalent, ${totals.notReached} not reached, ` +
      `${totals.needsFidelity} without effect at this fidelity`,
  );
  print(
    `killed of those tried and not shown equivalent: ${totals.killRate} %; equivalent: ${totals.equivalentShare} %`,
  );
}

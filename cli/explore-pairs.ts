/** `explore --pairs`: a small program for every pair of operations, and a table of verdicts. */
import { openSessions } from '../campaign/catalogue.ts';
import { configurationsOf, systemsNamed, UsageError } from '../campaign/options.ts';
import { pairsOf } from '../fuzz/explore/pairs.ts';
import type { Exploration } from '../fuzz/explore/result.ts';
import {
  boundText,
  checkFidelity,
  type ExploreFlags,
  type Limits,
  statusText,
  Watch,
  watched,
} from './explore-run.ts';
import { Exit, print, printJson, StatusLine, seconds, table, thousands } from './terminal.ts';

const PAIR_SWITCHES = 3;
const PAIR_ANSWERS = 0;

interface PairRow {
  readonly one: string;
  readonly other: string;
  readonly shape: string;
  /** Undefined: there was no time for it. */
  readonly result: Exploration | undefined;
  readonly seconds: number;
}

export async function explorePairs(
  id: string,
  flags: ExploreFlags,
  given: Limits,
): Promise<number> {
  if (flags.save !== undefined) throw new UsageError('--save goes with a case FILE');
  const [system] = systemsNamed([id]);
  const [configuration] = configurationsOf(system!, flags.configuration, undefined);
  checkFidelity(configuration!);
  const session = openSessions().get(system!.id, configuration!.id, []);
  const limits: Limits = {
    ...given,
    switches: given.switches ?? PAIR_SWITCHES,
    answers: given.answers ?? PAIR_ANSWERS,
  };
  const watch = new Watch(limits.seconds);
  const line = new StatusLine(flags.json === true);
  const pairs = pairsOf(session);
  const rows: PairRow[] = [];
  for (const [index, { operations, shape, program }] of pairs.entries()) {
    const [one, other] = operations;
    const name = { one, other, shape };
    if (watch.isOver) {
      rows.push({ ...name, result: undefined, seconds: 0 });
      continue;
    }
    const began = watch.elapsed;
    const label = `${index + 1}/${pairs.length} ${one} || ${other} (${shape}): `;
    const result = await watched(session, { program, parameters: {} }, limits, watch, (progress) =>
      line.show(label + statusText(progress, watch.elapsed - began)),
    );
    rows.push({ ...name, result, seconds: watch.elapsed - began });
  }
  line.clear();
  watch.close();
  const done = rows.filter(({ result }) => result?.complete === true);
  const failing = rows.filter(({ result }) => (result?.findings.length ?? 0) > 0);
  if (flags.json === true) {
    printJson({
      command: 'explore pairs',
      system: system!.id,
      configuration: configuration!.id,
      bound: { switches: limits.switches ?? null, answers: limits.answers ?? null },
      pairs: rows.map(({ one, other, shape, result, seconds: took }) => ({
        operations: [one, other],
        shape,
        schedules: result?.classes ?? 0,
        executions: result?.executions ?? 0,
        complete: result?.complete ?? false,
        seconds: took,
        findings: result?.findings.map(({ signature }) => signature) ?? [],
      })),
    });
  } else {
    print(
      table(
        ['pair', 'where', 'schedules', 'executions', 'seconds', 'verdict'],
        rows.map(({ one, other, shape, result, seconds: took }) => [
          `${one} || ${other}`,
          shape,
          thousands(result?.classes ?? 0),
          thousands(result?.executions ?? 0),
          seconds(took),
          pairVerdict(result),
        ]),
      ),
    );
    print(
      `${done.length} of ${rows.length} programs of ${system!.id} (${configuration!.id}) explored completely` +
        `${boundText(limits)}; ${failing.length === 0 ? 'no violation' : `${failing.length} with violations`}`,
    );
  }
  return failing.length > 0 ? Exit.Finding : Exit.Clean;
}

function pairVerdict(result: Exploration | undefined): string {
  if (result === undefined) return 'not run';
  if (result.findings.length > 0)
    return result.findings.map(({ signature }) => signature).join(', ');
  return result.complete ? 'clean' : `clean so far (${result.ended})`;
}

/**
 * Quality of the minimiser: for some bugs of the zoo and some seeds, the case that it makes of the first failing
 * execution, beside the optimum. The optimum is found by exploring every sub-program of the minimised one, the smallest
 * first: the fewest operations with which the same signature can be had, and the fewest switches for that many.
 *
 *   npm run bench:minimiser -- [--seeds N] [--bugs A07,A20,...]
 */
import { parseArgs } from 'node:util';
import { bugNamed, configurationsOf, listedSystems } from '../campaign/options.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { Executor } from '../fuzz/execution.ts';
import { explore } from '../fuzz/explore/explore.ts';
import { caseOf } from '../fuzz/finding.ts';
import { MINIMISE_BUDGET, type Minimised, minimise } from '../fuzz/minimise.ts';
import { operationCount, type Program } from '../fuzz/program.ts';
import type { Plan } from '../fuzz/schedule.ts';
import type { Session } from '../fuzz/session.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { coarseSignature } from '../fuzz/signature.ts';

const BUGS = 'A02,A03,A05,A06,A07,A42,A16,A18,A20,A21,M15-,M28-';
const HUNT_MAX = 8000;
const EXPLORE = { switches: 3, answers: 1, executions: 3000 };

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    bugs: { type: 'string', default: BUGS },
  },
});

interface Sample {
  readonly bug: string;
  readonly seed: number;
  readonly before: number;
  readonly operations: number;
  readonly best: number;
  readonly switches: number;
  readonly fewest: number;
  readonly executions: number;
  readonly firstMs: number;
  readonly slipped: boolean;
  readonly repeats: boolean;
}

interface Hit {
  readonly session: Session;
  readonly plan: Plan;
  readonly answers: Session['answers'];
  readonly signature: string;
}

function hunt(sessions: Sessions, text: string, seed: number): Hit | undefined {
  const { system, bug } = bugNamed(text, listedSystems());
  const configurations = configurationsOf(system, bug.configuration, undefined);
  const target = { system, configurations, bugs: [bug.id] };
  const executor = new Executor(seed, [target], undefined, sessions);
  for (let index = 0; index < HUNT_MAX; index += 1) {
    const { result, session, draft } = executor.run(index);
    const { violation } = result;
    if (violation === undefined || !bug.caughtBy.includes(violation.oracle)) continue;
    const { program, parameters } = draft;
    return {
      session,
      plan: { program, parameters, order: [], choices: [] },
      answers: session.answers,
      signature: coarseSignature(session, violation),
    };
  }
  return undefined;
}

/** Programs with some of the operations left out, the smallest first; the whole one last. */
function subPrograms(program: Program): readonly Program[] {
  const all = program.flatMap(({ actor, operations }) =>
    operations.map((operation) => ({ actor, key: operation.key })),
  );
  const masks = Array.from({ length: 2 ** all.length - 1 }, (_, index) => index + 1);
  const bits = (mask: number): number => [...mask.toString(2)].filter((one) => one === '1').length;
  return masks
    .sort((a, b) => bits(a) - bits(b) || a - b)
    .map((mask) =>
      program
        .map(({ actor, operations }) => ({
          actor,
          operations: operations.filter((one) => {
            const at = all.findIndex((other) => other.actor === actor && other.key === one.key);
            return (mask & (1 << at)) !== 0;
          }),
        }))
        .filter(({ operations }) => operations.length > 0),
    );
}

/** Fewest operations, and fewest switches for that many; those of the case itself when nothing is smaller. */
function optimum({ session, plan, run }: Minimised, signature: string): [number, number] {
  const own: [number, number] = [operationCount(plan.program), run.recorder.switches];
  if (session.machine.delays) return own;
  let best = own;
  for (const program of subPrograms(plan.program)) {
    const size = operationCount(program);
    if (size > best[0]) break;
    const { findings } = explore(session, { program, parameters: plan.parameters }, EXPLORE);
    const found = findings.find((finding) => finding.signature === signature);
    if (found === undefined) continue;
    if (size < best[0] || found.switches < best[1]) best = [size, found.switches];
  }
  return best;
}

function sampleOf(bug: string, seed: number): Sample | undefined {
  const sessions = new Sessions();
  const hit = hunt(sessions, bug, seed);
  if (hit === undefined) return undefined;
  const started = performance.now();
  let firstMs = Number.POSITIVE_INFINITY;
  const improved = (): void => {
    firstMs = Math.min(firstMs, performance.now() - started);
  };
  const options = { budget: MINIMISE_BUDGET, improved };
  const made = minimise(sessions, hit.session, hit.plan, hit.answers, options);
  if (made === undefined) return undefined;
  const text = formatCase(caseOf(made, ''));
  const signature = coarseSignature(made.session, made.run.violation!);
  const again = minimise(new Sessions(), hit.session, hit.plan, hit.answers, {
    budget: MINIMISE_BUDGET,
  });
  const [best, fewest] = optimum(made, signature);
  return {
    bug,
    seed,
    before: operationCount(hit.plan.program),
    operations: operationCount(made.plan.program),
    best,
    switches: made.run.recorder.switches,
    fewest,
    executions: made.executions,
    firstMs,
    slipped: signature !== hit.signature,
    repeats: again !== undefined && formatCase(caseOf(again, '')) === text,
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const samples: Sample[] = [];
print('bug seed operations(before best) switches(fewest) executions first-ms');
for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
  for (const bug of values.bugs.split(',')) {
    const one = sampleOf(bug, seed);
    if (one === undefined) {
      print(`${bug} ${seed} not found in ${HUNT_MAX} executions`);
      continue;
    }
    samples.push(one);
    const flags = `${one.slipped ? ' SLIPPED' : ''}${one.repeats ? '' : ' DIFFERS'}`;
    print(
      `${bug} ${seed} ${one.operations}(${one.before} ${one.best}) ${one.switches}(${one.fewest}) ` +
        `${one.executions} ${one.firstMs.toFixed(0)}${flags}`,
    );
  }
  const share = (is: (one: Sample) => boolean): string =>
    `${samples.filter(is).length} of ${samples.length}`;
  print(
    `after seed ${seed}: operations at most 1.3 x optimum in ${share((one) => one.operations <= 1.3 * one.best)}; ` +
      `switches at most optimum + 1 in ${share((one) => one.switches <= one.fewest + 1)}; ` +
      `slipped ${share((one) => one.slipped)}; same bytes twice ${share((one) => one.repeats)}; ` +
      `first output within 2 s ${share((one) => one.firstMs <= 2000)}`,
  );
}

/**
 * Quality of the minimiser: for some bugs of the zoo and some seeds, the case that it makes of the first failing
 * execution, beside the optimum. The optimum is found by exploring sub-programs of the failing execution's program and
 * of the minimised one, the smallest first: the fewest operations with which the same signature can be had, and the
 * fewest switches for that many.
 *
 *   npm run bench:minimiser -- [--first SEED] [--seeds N] [--bugs A07,A20,...]
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
const HUNT_MAX = 200_000;
const EXPLORE = { switches: 3, answers: 1, executions: 3000 };

const { values } = parseArgs({
  options: {
    first: { type: 'string', default: '1' },
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

/** Programs with at most so many of the operations, the smallest first. */
function subPrograms(program: Program, most: number): readonly Program[] {
  const all = program.flatMap(({ actor, operations }) =>
    operations.map((operation) => ({ actor, key: operation.key })),
  );
  const masks = Array.from({ length: 2 ** all.length - 1 }, (_, index) => index + 1);
  const bits = (mask: number): number => [...mask.toString(2)].filter((one) => one === '1').length;
  return masks
    .filter((mask) => bits(mask) <= most)
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

interface Size {
  readonly operations: number;
  readonly switches: number;
}

/** The smallest of a program's parts that fails so: with fewer operations, or with as many and at least `gain` fewer switches. */
function smallest(
  session: Session,
  plan: Plan,
  signature: string,
  known: Size,
  gain: number,
): Size {
  if (session.machine.delays || session.configuration.isReal) return known;
  let best = known;
  for (const program of subPrograms(plan.program, known.operations)) {
    const operations = operationCount(program);
    if (operations > best.operations) break;
    const switches =
      operations < best.operations ? EXPLORE.switches : Math.min(3, best.switches - gain);
    if (switches < 0) continue;
    const subject = { program, parameters: plan.parameters };
    const { findings } = explore(session, subject, { ...EXPLORE, switches });
    const found = findings.find((finding) => finding.signature === signature);
    if (found !== undefined) best = { operations, switches: found.switches };
  }
  return best;
}

/** Size of the smallest failure of that kind that was found; of the case itself when none is smaller. */
function optimum(hit: Hit, { session, plan, run }: Minimised, signature: string): Size {
  const own = { operations: operationCount(plan.program), switches: run.recorder.switches };
  const within = smallest(session, plan, signature, own, 1);
  // other parts of the execution's program: two switches fewer are what the bar forbids
  return smallest(hit.session, hit.plan, signature, within, 2);
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
  const { switches } = made.run.recorder;
  const signature = coarseSignature(made.session, made.run.violation!);
  const again = minimise(new Sessions(), hit.session, hit.plan, hit.answers, {
    budget: MINIMISE_BUDGET,
  });
  const repeats = again !== undefined && formatCase(caseOf(again, '')) === text;
  const best = optimum(hit, made, signature);
  return {
    bug,
    seed,
    before: operationCount(hit.plan.program),
    operations: operationCount(made.plan.program),
    best: best.operations,
    switches,
    fewest: best.switches,
    executions: made.executions,
    firstMs,
    slipped: signature !== hit.signature,
    repeats,
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const samples: Sample[] = [];
print('bug seed operations(before best) switches(fewest) executions first-ms');
const FIRST = Number(values.first);
for (let seed = FIRST; seed < FIRST + Number(values.seeds); seed += 1) {
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

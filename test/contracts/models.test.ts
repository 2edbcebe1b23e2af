/** Contract of systems, for every one that is listed: see design.md 4 and docs/adding.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CORPUS_FOLDER, readCase } from '../../campaign/corpus.ts';
import { configurationsOf, listedSystems } from '../../campaign/options.ts';
import { Executor, SCHEDULES } from '../../fuzz/execution.ts';
import { Generator } from '../../fuzz/generate.ts';
import { Random } from '../../fuzz/random.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { limitsFor, Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { SYSTEMS } from '../../models/registry.ts';
import type { Bug, Configuration, System } from '../../models/system.ts';
import { CLAIM_NAMES, type ClaimCode } from '../../sim/claims.ts';
import { Event } from '../../sim/event.ts';
import { Machine } from '../../sim/machine.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { SiteDirectory, siteOf } from '../../sim/site.ts';
import { CHECKPOINT_EVENTS, type Row, type Trace } from '../../sim/trace.ts';

const SEED = 11;

const PAIRS = listedSystems().flatMap((system) =>
  system.configurations.map((configuration) => ({ system, configuration })),
);
const TOYS = PAIRS.filter(({ configuration }) => !configuration.isReal);

function executorOf(system: System, configuration: Configuration, sessions: Sessions): Executor {
  return new Executor(
    SEED,
    [{ system, configurations: [configuration], bugs: [] }],
    undefined,
    sessions,
  );
}

// ---- a small sample of each configuration ----

const SAMPLE_PROGRAMS = 800;
/** Operations that succeed too rarely for a small sample; programs of their own show that they do. */
const RARE: Readonly<Record<string, string>> = {
  'kvm-arm64 hyp-write': 'succeeds only after hyp-map of the same page',
};

/** Claims by operation id, and sites, of everything that a sample's traces show. */
function sample(system: System, configuration: Configuration) {
  const sessions = new Sessions();
  const executor = executorOf(system, configuration, sessions);
  const claims = new Map<string, Set<number>>();
  const sites = new Set<number>();
  let hasTables = false;
  for (let number = 0; number < SAMPLE_PROGRAMS; number += 1) {
    const { session } = executor.run(number * SCHEDULES);
    const { trace, tables } = session.machine;
    // a run may end without any, when its guest is gone
    hasTables ||= tables.trees.some(({ live }) => live);
    for (let index = 0; index < trace.count; index += 1) {
      const { kind, site, operation, a } = trace.at(index);
      sites.add(site);
      if (kind !== Event.Claim || operation < 0) continue;
      const { id } = session.loaded!.operations[operation]!;
      const made = claims.get(id) ?? new Set();
      claims.set(id, made.add(a));
    }
  }
  const session = sessions.get(system.id, configuration.id, []);
  return { session, claims, sites, hasTables };
}

for (const { system, configuration } of TOYS) {
  const name = `${system.id} ${configuration.id}`;

  test(`${name}: operations begin and finish, make the claims of their cards, at declared sites`, (t) => {
    const { session, claims, sites, hasTables } = sample(system, configuration);
    for (const spec of system.operations) {
      const { id } = spec;
      const card = spec.cardIn?.(configuration) ?? spec.card;
      if (spec.isIn?.(configuration) === false) continue;
      const { begun, finished, failed } = session.tallies.get(id)!;
      t.true(begun > 0, `${id} never begins`);
      if (`${system.id} ${id}` in RARE) t.true(finished + failed > 0, `${id} never ends`);
      else t.true(finished > 0, `${id} never finishes`);
      const made = claims.get(id) ?? new Set<ClaimCode>();
      const missing = card.claims.filter((claim) => !made.has(claim));
      t.deepEqual(
        missing.map((claim) => CLAIM_NAMES[claim]),
        [],
        `claims of ${id}`,
      );
    }
    const undeclared = [...sites].filter((site) => !session.directory.has(site));
    t.deepEqual(
      undeclared.map((site) => session.directory.name(site)),
      [],
    );
    t.true(sites.size > 15);
    t.is(
      session.machine.spec.hasTables !== false,
      hasTables,
      'oracles of tables are attached where there are some',
    );
  });
}

for (const { system, configuration } of TOYS) {
  const maps = system.operations.find(({ id }) => id === 'hyp-map');
  if (system.id !== 'kvm-arm64' || maps?.isIn?.(configuration) === false) continue;
  test(`${system.id} ${configuration.id}: the hypervisor writes a page that it has mapped`, (t) => {
    const session = new Session(system, configuration);
    const operations = [
      { key: 'h1', operation: 'hyp-map', args: [0, 1] },
      { key: 'h2', operation: 'hyp-write', args: [0] },
    ];
    const plan = {
      program: [{ actor: 'host', operations }],
      parameters: {},
      order: [],
      choices: [],
    };
    t.is(runPlan(session, plan).violation, undefined);
    t.deepEqual(session.tallies.get('hyp-write'), { begun: 1, finished: 1, failed: 0 });
  });
}

test('no two sites of all systems have one hash, and none hashes to 0', (t) => {
  const names = new Set(SYSTEMS.flatMap(({ sites }) => new SiteDirectory(sites).names));
  const hashes = new Set([...names].map(siteOf));
  t.is(hashes.size, names.size);
  t.false(hashes.has(0));
  t.true(names.size > 100);
});

// ---- unfair schedules are no findings ----

/**
 * Picks one source whenever it is ready, else the lowest. Others may begin with some events, so that
 * the favourite can find them in the middle of something and wait for them in vain.
 */
class AlwaysFirst implements Scheduler {
  readonly id = 'always-first';
  readonly #favourite: number;
  readonly #headStart: number;

  constructor(favourite: number, headStart: number) {
    this.#favourite = favourite;
    this.#headStart = headStart;
  }

  begin(_machine: Scheduling): void {}

  pick(machine: Scheduling): number {
    const ready = machine.ready.subarray(0, machine.readyCount);
    if (machine.events < this.#headStart) return Math.max(...ready);
    return machine.isReady(this.#favourite) ? this.#favourite : Math.min(...ready);
  }

  choose(): number {
    return 0;
  }
}

const UNFAIR_PROGRAMS = 40;
const UNFAIR_PROGRAMS_REAL = 4;
/** Events that the others make first; the second number brings a host into the middle of things. */
const HEAD_STARTS = [0, 11] as const;

for (const { system, configuration } of PAIRS) {
  if (configuration.kind !== 'correct') continue;
  test(`${system.id} ${configuration.id}: clean whichever actor always goes first`, (t) => {
    const session = new Session(system, configuration);
    const generator = new Generator(system);
    const programs = configuration.isReal ? UNFAIR_PROGRAMS_REAL : UNFAIR_PROGRAMS;
    const found: string[] = [];
    for (let index = 0; index < programs; index += 1) {
      const draft = generator.draft(new Random(SEED, index), configuration);
      session.load(draft.program);
      const limits = limitsFor(configuration, draft.program);
      for (const { index: favourite, name } of session.machine.actors) {
        for (const headStart of HEAD_STARTS) {
          const scheduler = new AlwaysFirst(favourite, headStart);
          const { violation } = session.run(draft.parameters, scheduler, limits);
          if (violation === undefined) continue;
          const { oracle, rule } = violation;
          found.push(`program ${index}, ${name} first after ${headStart}: ${oracle} ${rule}`);
        }
      }
    }
    t.deepEqual(found, []);
  });
}

// ---- bug flags ----

const FLAG_SEEDS = 200;
/** A flag on a rare path: the comparison goes on until it was read, but no longer than this; then the corpus has to help. */
const FLAG_SEEDS_MAX = 1000;

/** First row at which two traces differ; the shorter one's end when none does. */
function agreement(one: Trace, other: Trace): number {
  const end = Math.min(one.count, other.count);
  for (let row = 0; row < end; row += 1) {
    if (!isSameRow(one.at(row), other.at(row))) return row;
  }
  return end;
}

function isSameRow(one: Row, other: Row): boolean {
  return (Object.keys(one) as (keyof Row)[]).every((field) => one[field] === other[field]);
}

/** Runs with and without a flag agree up to where it is read first. @returns whether it is read */
function isSameUntilRead(
  t: ExecutionContext,
  flagged: Session,
  plain: Session,
  digests: readonly [string, string],
  where: string,
): boolean {
  const { firstRead } = flagged.flags;
  t.is(firstRead, plain.flags.firstRead, where);
  if (firstRead < 0) {
    t.is(digests[0], digests[1], where);
    return false;
  }
  const [a, b] = [flagged.machine.trace, plain.machine.trace];
  t.true(agreement(a, b) >= firstRead, where);
  const blocks = Math.floor(firstRead / CHECKPOINT_EVENTS) * 2;
  t.deepEqual(a.checkpoints.subarray(0, blocks), b.checkpoints.subarray(0, blocks), where);
  return true;
}

/** The same for the case that the corpus has of the bug: some paths are too rare for a sample. */
function isReadByCase(t: ExecutionContext, system: System, { id }: Bug): boolean {
  const value = readCase(join(CORPUS_FOLDER, system.id, `${id}.yaml`));
  const flagged = new Sessions().get(system.id, value.configuration, [id]);
  const plain = new Sessions({ watched: id }).get(system.id, value.configuration, []);
  const digests = [runPlan(flagged, value).digest, runPlan(plain, value).digest] as const;
  return isSameUntilRead(t, flagged, plain, digests, 'its case');
}

for (const system of listedSystems()) {
  const sources = sourcesOf(system);
  for (const bug of system.bugs) {
    if (isFlaw(system, bug)) continue;

    test(`${system.id}: ${bug.id} changes nothing before its flag is read`, (t) => {
      const configurations = configurationsOf(system, bug.configuration, undefined).filter(
        ({ isReal }) => !isReal,
      );
      const target = { system, configurations };
      const flagged = new Executor(
        SEED,
        [{ ...target, bugs: [bug.id] }],
        undefined,
        new Sessions(),
      );
      const plain = new Executor(
        SEED,
        [{ ...target, bugs: [] }],
        undefined,
        new Sessions({ watched: bug.id }),
      );
      let read = 0;
      let index = 0;
      for (; index < FLAG_SEEDS || (read === 0 && index < FLAG_SEEDS_MAX); index += 1) {
        const one = flagged.run(index);
        const other = plain.run(index);
        const where = `execution ${index}`;
        t.deepEqual(one.draft, other.draft, where);
        t.is(one.strategy, other.strategy, where);
        t.is(one.states()[0], other.states()[0], where);
        const digests = [one.result.digest, other.result.digest] as const;
        if (isSameUntilRead(t, one.session, other.session, digests, where)) read += 1;
      }
      if (read === 0) read = isReadByCase(t, system, bug) ? 1 : 0;
      t.log(`read in ${read} of ${index} executions`);
      t.true(read > 0, 'no execution reads the flag: nothing was compared');
    });

    test(`${system.id}: ${bug.id} is read at one place`, (t) => {
      const places = sources.flatMap(({ file, text }) =>
        text
          .split('\n')
          .flatMap((line, i) => (line.includes(`'${bug.id}'`) ? [`${file}:${i + 1}`] : [])),
      );
      t.is(places.length, 1, places.join(', '));
      const quoted = sources.reduce((sum, { text }) => sum + text.split(bug.id).length - 1, 0);
      t.is(quoted, 1);
    });
  }
}

/** A known flaw of a historical configuration has no flag. */
function isFlaw(system: System, bug: Bug): boolean {
  return system.configurations.some(
    ({ id, kind }) => id === bug.configuration && kind === 'historical',
  );
}

function sourcesOf(system: System): readonly { file: string; text: string }[] {
  const folder = join('models', system.id);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.startsWith('bugs'))
    .map((name) => join(folder, name))
    .map((file) => ({ file, text: readFileSync(file, 'utf8') }));
}

// ---- generator frames ----

const FRAME_RUNS = 60;
/** Nine today, below a fault that replaces a leaf; design.md 3 wants six. It must not grow. */
const FRAMES_MAX = 6;

/**
 * Counts the generators of models/ that lie above an access: while an access is requested, each of
 * them is on the stack as a call of its `next`. The stack of an Error made inside `goesOn`, through
 * which every access passes before it is performed, shows one line of models/ for each.
 */
function deepestRequest(system: System, configuration: Configuration): readonly string[] {
  const original = Machine.prototype.goesOn;
  const limit = Error.stackTraceLimit;
  let deepest: readonly string[] = [];
  Error.stackTraceLimit = 64;
  Machine.prototype.goesOn = function goesOn(actor) {
    const lines = new Error('probe').stack?.split('\n') ?? [];
    const frames = lines.filter((line) => /\/models\/.*\.ts:\d+/.test(line));
    if (frames.length > deepest.length) deepest = frames;
    return original.call(this, actor);
  };
  try {
    const executor = executorOf(system, configuration, new Sessions());
    for (let index = 0; index < FRAME_RUNS; index += 1) executor.run(index);
  } finally {
    Machine.prototype.goesOn = original;
    Error.stackTraceLimit = limit;
  }
  return deepest;
}

for (const { system, configuration } of TOYS) {
  test(`${system.id} ${configuration.id}: at most ${FRAMES_MAX} generators lie above an access`, (t) => {
    const frames = deepestRequest(system, configuration);
    t.log(`${frames.length} generators`);
    t.true(frames.length > 1);
    t.true(frames.length <= FRAMES_MAX, frames.join('\n'));
  });
}

/** Contract of strategies, for every one in the registry. */
import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { Executor, expectedEvents } from '../../fuzz/execution.ts';
import { Generator } from '../../fuzz/generate.ts';
import { Random } from '../../fuzz/random.ts';
import { limitsFor, Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { AnswerStrategy } from '../../fuzz/strategies/answers.ts';
import { findStrategy, STRATEGIES, type StrategySpec } from '../../fuzz/strategies/registry.ts';
import type { Temper } from '../../fuzz/temper.ts';
import { canary } from '../../models/canary/index.ts';
import { SYSTEMS } from '../../models/registry.ts';
import type { System } from '../../models/system.ts';
import { formatAnswers, parseAnswers } from '../../sim/scheduler.ts';

const SEED = 5;
const PROGRAMS = 24;
/** Every kind of choice is answered both ways now and then. */
const RESTLESS: Temper = { failure: 16, hardware: 64, other: 128 };

/** Configurations in which nothing can go two ways but the order of events. */
const ASKS_NOTHING: readonly string[] = ['pool-8', 'pool-8-exclusive', 'pool-7'];

const TOYS = SYSTEMS.flatMap((system) =>
  system.configurations
    .filter(({ isReal }) => !isReal)
    .map((configuration) => ({ system, configuration })),
);

/** One program, run once under a strategy of a given seed. */
function runOf(spec: StrategySpec, session: Session, system: System, index: number) {
  const { configuration } = session;
  const draft = new Generator(system).draft(new Random(SEED, index), configuration);
  session.load(draft.program);
  const limits = limitsFor(configuration, draft.program);
  const make = () => {
    const random = new Random(SEED, index, 1);
    const scheduler = spec.create(random, RESTLESS, expectedEvents(session, draft.program));
    const { digest, steps } = session.run(draft.parameters, scheduler, limits);
    return { digest, steps, state: random.state, answers: session.answers };
  };
  const replay = (strategy: AnswerStrategy): string =>
    session.run(draft.parameters, strategy, limits).digest;
  return { make, replay };
}

for (const spec of STRATEGIES) {
  test(`${spec.id} makes the same run from the same seed`, (t) => {
    for (const { system, configuration } of TOYS) {
      const session = new Session(system, configuration);
      for (let index = 0; index < PROGRAMS; index += 1) {
        const { make } = runOf(spec, session, system, index);
        t.deepEqual(make(), make(), `${configuration.id} ${index}`);
      }
    }
  });

  test(`${spec.id} leaves answers that replay to the same digest, as they are and as text`, (t) => {
    for (const { system, configuration } of TOYS) {
      const session = new Session(system, configuration);
      const { actorCount } = session.machine;
      let replies = 0;
      for (let index = 0; index < PROGRAMS; index += 1) {
        const where = `${configuration.id} ${index}`;
        const { make, replay } = runOf(spec, session, system, index);
        const { digest, answers } = make();
        replies += answers.replies.length;
        const exact = new AnswerStrategy(answers);
        t.is(replay(exact), digest, where);
        t.is(exact.divergedAt, -1, where);
        t.deepEqual(session.answers, answers, where);
        const text = formatAnswers(answers, actorCount);
        const read = parseAnswers(text, actorCount);
        t.deepEqual(read, answers, where);
        t.is(formatAnswers(read!, actorCount), text);
      }
      const asks = !ASKS_NOTHING.includes(configuration.id);
      t.is(replies > 0, asks, `${configuration.id}: choices that were answered otherwise`);
    }
  });

  test(`${spec.id} makes different runs from different seeds`, (t) => {
    const { system, configuration } = TOYS[0]!;
    const session = new Session(system, configuration);
    const draft = new Generator(system).draft(new Random(SEED, 3), configuration);
    session.load(draft.program);
    const limits = limitsFor(configuration, draft.program);
    const digests = new Set(
      Array.from({ length: 100 }, (_, seed) => {
        const scheduler = spec.create(
          new Random(seed),
          RESTLESS,
          expectedEvents(session, draft.program),
        );
        return session.run(draft.parameters, scheduler, limits).digest;
      }),
    );
    t.true(digests.size > 30, `${digests.size} different runs of 100`);
  });

  test(`${spec.id} has a file of its own that says what it is`, (t) => {
    const file = `fuzz/strategies/${spec.id}.ts`;
    t.true(existsSync(file), file);
    t.regex(readFileSync(file, 'utf8'), /^\/\*\*[\s\S]{60,}?\*\//);
    t.is(findStrategy(spec.id), spec);
    // a weight of 0: only programs from its corpus get it
    t.is(spec.weight > 0, spec.id !== 'guided');
  });
}

test('strategies have different ids', (t) => {
  t.is(new Set(STRATEGIES.map(({ id }) => id)).size, STRATEGIES.length);
});

const CANARY_RUNS = 300;

for (const { id } of STRATEGIES) {
  test(`${id} finds the canary within ${CANARY_RUNS} executions`, (t) => {
    const bugs = canary.bugs.map((bug) => bug.id);
    const targets = [{ system: canary, configurations: canary.configurations, bugs }];
    const executor = new Executor(SEED, targets, id, new Sessions());
    const hits = Array.from({ length: CANARY_RUNS }, (_, index) => executor.run(index)).filter(
      ({ result }) => result.violation !== undefined,
    );
    t.log(`${hits.length} of ${CANARY_RUNS}, first in execution ${hits[0]?.index}`);
    t.true(hits.length > 0);
  });
}

test('answers that do not fit the program are noticed', (t) => {
  const { system, configuration } = TOYS[0]!;
  const drafts = [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => {
    const { make, replay } = runOf(
      STRATEGIES[0]!,
      new Session(system, configuration),
      system,
      seed,
    );
    return { replay, answers: make().answers };
  });
  // a run of several actors; one of a single actor fits whatever is cut off
  const { replay, answers } = drafts.find((draft) => draft.answers.counts.length > 2)!;
  const short = new AnswerStrategy({ ...answers, counts: answers.counts.slice(0, 1) });
  replay(short);
  t.true(short.divergedAt >= 0);
  const wrong = new AnswerStrategy({ ...answers, sources: answers.sources.map(() => 5) });
  replay(wrong);
  t.is(wrong.divergedAt, 0);
});

for (const [what, text] of Object.entries({
  'a run without a count': 'a0',
  'an unknown kind of source': 'x0*3',
  'a reply without an answer': 'a0*3 | 4',
  'two parts of replies': 'a0*3 | 4=1 | 5=1',
  'a negative count': 'a0*-3',
})) {
  test(`${what} is no text of answers`, (t) => {
    t.is(parseAnswers(text, 4), undefined);
  });
}

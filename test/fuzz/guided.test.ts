/** What a campaign learns: epochs, the corpus, mutants of it, and that executions depend on nothing else. */
import test from 'ava';
import { configurationsOf } from '../../campaign/options.ts';
import { Executor, SCHEDULES, STRETCH } from '../../fuzz/execution.ts';
import { actorNames, Generator } from '../../fuzz/generate.ts';
import { EPOCH, EPOCH_MAX, epochOf, epochStart } from '../../fuzz/guided/epochs.ts';
import { type Fold, folded, NOTHING_LEARNT, type Seed } from '../../fuzz/guided/fold.ts';
import { learn } from '../../fuzz/guided/learn.ts';
import { mutated, tidied } from '../../fuzz/guided/mutate.ts';
import { operationCount } from '../../fuzz/program.ts';
import { Random } from '../../fuzz/random.ts';
import { limitsFor, Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { AnswerStrategy } from '../../fuzz/strategies/answers.ts';
import { GuidedStrategy } from '../../fuzz/strategies/guided.ts';
import { CALM } from '../../fuzz/temper.ts';
import { findSystem, SYSTEMS } from '../../models/registry.ts';
import type { Answers } from '../../sim/scheduler.ts';

test('epochs follow each other without a gap, and grow with the campaign', (t) => {
  t.is(epochStart(0), 0);
  const lengths = [0, 1, 2, 3, 4].map((epoch) => epochStart(epoch + 1) - epochStart(epoch));
  t.deepEqual(lengths, [256, 256, 512, 1024, 2048]);
  for (let epoch = 0; epoch < 140; epoch += 1) {
    const [start, end] = [epochStart(epoch), epochStart(epoch + 1)];
    t.true(end > start);
    t.is(epochOf(start), epoch);
    t.is(epochOf(end - 1), epoch);
    t.is(start % SCHEDULES, 0, 'schedules of a program are in one epoch');
    if (epoch < 5) continue;
    t.is((end - start) % EPOCH, 0);
    t.true(end - start <= Math.max(EPOCH, start / 16) && end - start <= EPOCH_MAX);
  }
});

const system = findSystem('kvm-arm64')!;
const target = { system, configurations: configurationsOf(system, undefined, undefined), bugs: [] };

/** What 512 executions teach. */
function learnt(sessions = new Sessions()): Fold {
  const executor = new Executor(3, [target], undefined, sessions);
  const fresh = [3, 8, 21, 40, 100, 101, 260].map((index) => ({ index, keys: 1 + (index % 5) }));
  return folded(NOTHING_LEARNT, learn(executor, NOTHING_LEARNT, 0, fresh));
}

test('learning is a function of what was fresh, and counts it for the arms', (t) => {
  const fold = learnt();
  t.deepEqual(learnt(), fold);
  const real = configurationsOf(system, undefined, undefined).filter(({ isReal }) => isReal);
  t.true(fold.seeds.length > 3 && fold.seeds.length <= 7);
  t.false(fold.seeds.some((seed) => real.some(({ id }) => id === seed.configuration)));
  t.is(
    fold.scores.reduce((sum, score) => sum + score, 0),
    4 + 4 + 2 + 1 + 1 + 2 + 1,
  );
  t.deepEqual(JSON.parse(JSON.stringify(fold)), fold, 'it crosses machines as it is');
});

test('the corpus keeps the newest of each system, and what an arm showed counts less with time', (t) => {
  const [one] = learnt().seeds;
  const seeds = Array.from(
    { length: 100 },
    (_, index): Seed => ({
      ...one!,
      system: index % 4 === 0 ? 'other' : 'kvm-arm64',
      configuration: `${index}`,
    }),
  );
  const fold = folded(NOTHING_LEARNT, { epoch: 0, seeds, gains: [[2, 10]] });
  t.is(fold.seeds.filter((seed) => seed.system === 'other').length, 25);
  t.is(fold.seeds.filter((seed) => seed.system === 'kvm-arm64').length, 64);
  t.is(fold.seeds.at(-1)?.configuration, '99');
  t.deepEqual(fold.scores, [0, 0, 10]);
  const later = folded(fold, { epoch: 1, seeds: [], gains: [[0, 3]] });
  t.deepEqual(later.scores, [3, 0, 8]);
  t.is(later.epoch, 1);
});

test('executions depend on seed, index and what was learnt', (t) => {
  const fold = learnt();
  const runs = (given: Fold | undefined) => {
    const executor = new Executor(3, [target], undefined, new Sessions());
    executor.use(given);
    return Array.from({ length: 120 }, (_, index) => {
      const { result, strategy } = executor.run(600 + index);
      return { digest: result.digest, strategy };
    });
  };
  const guided = runs(fold);
  t.deepEqual(runs(JSON.parse(JSON.stringify(fold)) as Fold), guided);
  const plain = runs(undefined);
  t.deepEqual(runs(NOTHING_LEARNT), plain);
  t.false(plain.some(({ strategy }) => strategy === 'guided'));
  const share = guided.filter(({ strategy }) => strategy === 'guided').length / guided.length;
  t.true(share > 0.03 && share < 0.3, `${share}`);
  t.true(
    guided.some(({ digest }, index) => digest === plain[index]!.digest),
    'some are as ever',
  );
});

test('a configuration that shows something new is run more often, and none is starved', (t) => {
  const shares = (scores: readonly number[]): readonly number[] => {
    const executor = new Executor(3, [target], undefined, new Sessions());
    executor.use({ epoch: 0, seeds: [], scores });
    const counts = target.configurations.map(() => 0);
    // executions that follow each other are of one configuration
    const step = STRETCH * SCHEDULES;
    for (let i = 0; i < 2000; i += 1) counts[executor.armOf(i * step)]! += 1;
    return counts;
  };
  const before = shares([]);
  const wanted = target.configurations.findIndex(({ id }) => id === 'parallel-toy');
  const after = shares(target.configurations.map((_, index) => (index === wanted ? 50 : 0)));
  t.true(after[wanted]! > 1.5 * before[wanted]!, `${before[wanted]} ${after[wanted]}`);
  target.configurations.forEach(({ id, isReal }, index) => {
    if (index === wanted) return;
    t.true(after[index]! > 0.3 * before[index]! - 3, `${id}: ${before[index]} ${after[index]}`);
    if (isReal) t.true(after[index]! < 0.05 * 2000, id);
  });
});

for (const system of SYSTEMS) {
  const { id, operations } = system;
  test(`mutants of ${id} are programs that its configurations run`, (t) => {
    const once = new Set(operations.flatMap((spec) => (spec.once === true ? [spec.id] : [])));
    let changed = 0;
    const correct = configurationsOf(system, undefined, undefined);
    for (const configuration of correct.filter(({ isReal }) => !isReal)) {
      const session = new Session(system, configuration);
      const generator = new Generator(session.system);
      const random = new Random(7);
      const { all } = actorNames(configuration);
      for (let i = 0; i < 60; i += 1) {
        const [parent, other, fresh] = [1, 2, 3].map(() => generator.draft(random, configuration));
        const before = JSON.stringify([parent, other, fresh]);
        const mutant = mutated(random, parent!, other!, fresh!);
        t.is(JSON.stringify([parent, other, fresh]), before, 'parents stay as they are');
        const program = tidied(mutant.program, all, once);
        if (JSON.stringify(program) !== JSON.stringify(parent!.program)) changed += 1;
        t.true(operationCount(program) > 0);
        for (const { operations: list } of program)
          t.is(new Set(list.map(({ key }) => key)).size, list.length, 'keys are unique');
        const named = program.flatMap(({ operations: list }) => list.map((one) => one.operation));
        for (const name of once) t.true(named.filter((one) => one === name).length <= 1, name);
        session.load(program);
        const scheduler = new GuidedStrategy(random, CALM, undefined);
        const { violation } = session.run(
          mutant.parameters,
          scheduler,
          limitsFor(configuration, program),
        );
        t.is(violation, undefined, `${configuration.id} ${JSON.stringify(program)}`);
      }
    }
    t.true(changed > 0);
  });
}

/** Events that two schedules begin with in common. */
function common(one: Answers, other: Answers): number {
  const list = ({ sources, counts }: Answers): number[] =>
    sources.flatMap((source, run) => Array<number>(counts[run]!).fill(source));
  const [a, b] = [list(one), list(other)];
  const at = a.findIndex((source, index) => source !== b[index]);
  return at < 0 ? a.length : at;
}

test('a guided run begins as the one that it follows, leaves it, and often comes back', (t) => {
  const [seed] = learnt().seeds.filter(({ program }) => program.length > 2);
  const { program, parameters, answers } = seed!;
  const configuration = target.configurations.find(({ id }) => id === seed!.configuration)!;
  const session = new Session(system, configuration);
  session.load(program);
  const limits = limitsFor(configuration, program);
  const digest = session.run(parameters, new AnswerStrategy(answers), limits).digest;
  const length = answers.counts.reduce((sum, count) => sum + count, 0);
  const runs = Array.from({ length: 60 }, (_, number) => {
    const strategy = new GuidedStrategy(new Random(number), CALM, answers);
    const result = session.run(parameters, strategy, limits);
    return { digest: result.digest, common: common(answers, session.answers) };
  });
  const mean = runs.reduce((sum, run) => sum + run.common, 0) / runs.length;
  t.log(`${mean.toFixed(0)} of ${length} events in common`);
  t.true(mean > length / 8 && mean < length);
  t.true(new Set(runs.map((run) => run.digest)).size > 20);
  t.true(runs.some((run) => run.digest !== digest));
});

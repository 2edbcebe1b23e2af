/** Swapping two adjacent independent events changes neither the final state nor the finding. */
import test from 'ava';
import { Generator } from '../../fuzz/generate.ts';
import { executionSeed, Random } from '../../fuzz/random.ts';
import { limitsFor, Session } from '../../fuzz/session.ts';
import { AnswerStrategy } from '../../fuzz/strategies/answers.ts';
import { RandomStrategy } from '../../fuzz/strategies/random.ts';
import { CALM } from '../../fuzz/temper.ts';
import { findSystem } from '../../models/registry.ts';
import type { System } from '../../models/system.ts';
import { conflict, footprint, type Layout } from '../../sim/footprint.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';

/** Notes the source of every event and the trace row at which it began. */
class Marker implements Scheduler {
  readonly id = 'marker';
  readonly sources: number[] = [];
  readonly rows: number[] = [];
  readonly #inner: Scheduler;
  readonly #session: Session;

  constructor(session: Session, inner: Scheduler) {
    this.#session = session;
    this.#inner = inner;
  }

  begin(machine: Scheduling): void {
    this.#inner.begin(machine);
  }

  pick(machine: Scheduling): number {
    const source = this.#inner.pick(machine);
    machine.grant = 0;
    this.sources.push(source);
    this.rows.push(this.#session.machine.trace.count);
    return source;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    return this.#inner.choose(machine, site, alternatives);
  }
}

/** Everything that is left of a run besides its order. */
function stateOf({ machine, scene }: Session): string {
  const words: string[] = [];
  const { memory, pages, tables, pes } = machine;
  for (let frame = 0; frame < memory.frames; frame += 1) {
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const word = memory.load(memory.address(frame, index));
      if (word !== 0) words.push(`${frame}.${index}=${word}`);
    }
  }
  const tlbs = pes.map(({ tlb }) =>
    Array.from(
      { length: tlb.count },
      (_, i) => `${tlb.kind[i]} ${tlb.first[i]} ${tlb.word[i]}`,
    ).sort(compare),
  );
  const { violation } = scene.report;
  return JSON.stringify([
    words,
    [...pages.role],
    tables.trees.map((tree) => [...tree.entries]),
    tlbs,
    violation === undefined ? 'clean' : [violation.oracle, violation.rule, violation.page],
  ]);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function layoutOf({ machine }: Session): Layout {
  return {
    pes: machine.pes.length,
    trees: machine.tables.trees.length,
    peOf: machine.actors.map(({ pe }) => pe),
    firstWord: (frame) => machine.memory.address(frame, 0),
  };
}

/** Runs a program, swaps some independent neighbours one pair at a time, and compares the ends. */
function swapsOf(
  system: System,
  seed: number,
  bugs: readonly string[],
): { swapped: number; differing: string[] } {
  const configuration = system.configurations[0]!;
  const session = new Session(system, configuration, { bugs });
  const random = new Random(executionSeed(seed, 0), 1);
  const { program, parameters } = new Generator(system).draft(random, configuration);
  const limits = limitsFor(configuration, program);
  session.load(program);
  const marker = new Marker(session, new RandomStrategy(new Random(seed, 2), CALM));
  session.run(parameters, marker, limits);
  const expected = stateOf(session);
  const layout = layoutOf(session);
  const { trace, actorCount } = session.machine;
  const ends = [...marker.rows.slice(1), trace.count];
  const prints = marker.rows.map((from, i) =>
    footprint(
      Array.from({ length: ends[i]! - from }, (_, k) => trace.at(from + k)),
      layout,
    ),
  );
  const differing: string[] = [];
  let swapped = 0;
  for (let i = 0; i + 1 < marker.sources.length && swapped < 12; i += 1) {
    const one = marker.sources[i]!;
    const other = marker.sources[i + 1]!;
    // arrivals get their slots in the order of issue: only events of actors are swapped here
    if (one === other || one >= actorCount || other >= actorCount) continue;
    if (conflict(prints[i]!, prints[i + 1]!)) continue;
    const sources = [...marker.sources];
    sources[i] = other;
    sources[i + 1] = one;
    const swap = new AnswerStrategy({
      sources,
      counts: sources.map(() => 1),
      questions: [],
      replies: [],
    });
    session.run(parameters, swap, limits);
    swapped += 1;
    if (swap.divergedAt >= 0 || stateOf(session) !== expected)
      differing.push(`seed ${seed}, events ${i} and ${i + 1}`);
  }
  return { swapped, differing };
}

const SEEDS = 40;

test('swapping independent neighbours changes nothing on the correct model', (t) => {
  let swapped = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const result = swapsOf(findSystem('kvm-arm64')!, seed, []);
    t.deepEqual(result.differing, []);
    swapped += result.swapped;
  }
  t.true(swapped > 100, `${swapped} pairs were swapped`);
});

test('swapping independent neighbours keeps the finding of a model with a bug', (t) => {
  let swapped = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const result = swapsOf(findSystem('canary')!, seed, ['canary-free-before-invalidation']);
    t.deepEqual(result.differing, []);
    swapped += result.swapped;
  }
  t.true(swapped > 20, `${swapped} pairs were swapped`);
});

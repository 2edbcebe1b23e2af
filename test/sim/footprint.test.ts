/** Swapping two adjacent independent events changes neither the final state nor the finding. */
import test from 'ava';
import { Generator } from '../../fuzz/generate.ts';
import { executionSeed, Random } from '../../fuzz/random.ts';
import { limitsFor, Session } from '../../fuzz/session.ts';
import { AnswerStrategy } from '../../fuzz/strategies/answers.ts';
import { RandomStrategy } from '../../fuzz/strategies/random.ts';
import { CALM, type Temper } from '../../fuzz/temper.ts';
import { findSystem } from '../../models/registry.ts';
import type { System } from '../../models/system.ts';
import { Event } from '../../sim/event.ts';
import type { Answers, Scheduler, Scheduling } from '../../sim/scheduler.ts';

/** Notes the source of every event and the trace row at which it began. */
class Marker implements Scheduler {
  readonly id = 'marker';
  readonly sources: number[] = [];
  readonly rows: number[] = [];
  /** By event: the answers given while it was performed. */
  readonly replies: number[][] = [];
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
    this.replies.push([]);
    return source;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    const answer = this.#inner.choose(machine, site, alternatives);
    this.replies.at(-1)!.push(answer);
    return answer;
  }
}

/** The answers of a run whose events come in this order. */
function answersOf(sources: readonly number[], replies: readonly (readonly number[])[]): Answers {
  const given = replies.flat();
  const questions = given.flatMap((answer, question) => (answer === 0 ? [] : [question]));
  return {
    sources,
    counts: sources.map(() => 1),
    questions,
    replies: questions.map((question) => given[question]!),
  };
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

/** Runs a program, swaps some independent neighbours one pair at a time, and compares the ends. */
function swapsOf(
  system: System,
  seed: number,
  bugs: readonly string[],
  temper: Temper = CALM,
): { swapped: number; differing: string[] } {
  const configuration = system.configurations[0]!;
  const session = new Session(system, configuration, { bugs });
  const random = new Random(executionSeed(seed, 0), 1);
  const { program, parameters } = new Generator(system).draft(random, configuration);
  const limits = limitsFor(configuration, program);
  session.load(program);
  const marker = new Marker(session, new RandomStrategy(new Random(seed, 2), temper));
  session.run(parameters, marker, limits);
  const expected = stateOf(session);
  const { machine } = session;
  const { trace } = machine;
  const ends = [...marker.rows.slice(1), trace.count];
  const prints = marker.rows.map((from, i) => {
    const print = session.footprint();
    print.add(trace, from, ends[i]!);
    return print;
  });
  // exchanging two issues exchanges their slots, and with them the names of their arrivals
  const issues = marker.rows.map((from, i) =>
    Array.from({ length: ends[i]! - from }, (_, k) => trace.kind(from + k)).includes(
      Event.InvalidateIssue,
    ),
  );
  const differing: string[] = [];
  let swapped = 0;
  for (let i = 0; i + 1 < marker.sources.length && swapped < 12; i += 1) {
    const one = marker.sources[i]!;
    const other = marker.sources[i + 1]!;
    if (one === other || (issues[i]! && issues[i + 1]!)) continue;
    if (prints[i]!.conflictsWith(prints[i + 1]!)) continue;
    const sources = [...marker.sources];
    const replies = [...marker.replies];
    [sources[i], sources[i + 1]] = [other, one];
    [replies[i], replies[i + 1]] = [replies[i + 1]!, replies[i]!];
    const swap = new AnswerStrategy(answersOf(sources, replies));
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

const RESTLESS: Temper = { failure: 16, hardware: 64, other: 128 };

test('swapping independent neighbours keeps findings of every bug, whatever hardware answers', (t) => {
  const system = findSystem('kvm-arm64')!;
  let swapped = 0;
  for (const [index, bug] of system.bugs.entries()) {
    for (let seed = 1; seed <= 8; seed += 1) {
      const result = swapsOf(system, seed + 100 * index, [bug.id], RESTLESS);
      t.deepEqual(result.differing, [], bug.id);
      swapped += result.swapped;
    }
  }
  t.true(swapped > 500, `${swapped} pairs were swapped`);
});

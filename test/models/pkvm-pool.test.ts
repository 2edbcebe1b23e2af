/** The buddy allocator of pkvm against a naive one: a set of free pages, searched for aligned runs. */
import test from 'ava';
import fc from 'fast-check';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { HYP_POOL } from '../../models/pkvm/layout.ts';
import { findSystem } from '../../models/registry.ts';
import { Result } from '../../sim/card.ts';
import { Event } from '../../sim/event.ts';

const system = findSystem('pkvm')!;
const OUTSIDE_PAGES = 2;

interface Block {
  frame: number;
  order: number;
  references: number;
}

/** What a naive allocator knows: which pages are free, and which blocks the only CPU has. */
interface Naive {
  readonly pages: number;
  readonly free: Set<number>;
  readonly held: Block[];
  brought: number;
}

/** The real allocator: the calls so far are run again from boot, and the last one is looked at. */
class Real {
  readonly session: Session;
  readonly operations: { key: string; operation: string; args: readonly number[] }[] = [];

  constructor(session: Session) {
    this.session = session;
  }

  call(operation: string, args: readonly number[]): { result: number; frames: number[] } {
    const { session, operations } = this;
    operations.push({ key: `o${operations.length}`, operation, args });
    const program = [{ actor: 'vcpu0', operations }];
    const { violation } = runPlan(session, { program, parameters: {}, order: [], choices: [] });
    if (violation !== undefined) throw new Error(`${violation.oracle} ${violation.rule}`);
    const last = operations.length - 1;
    const { trace } = session.machine;
    const frames: number[] = [];
    let result = -1;
    for (let row = 0; row < trace.count; row += 1) {
      const { kind, operation: of, a, b } = trace.at(row);
      if (of !== last) continue;
      if (kind === Event.Allocate) frames.push(a);
      if (kind === Event.OperationEnd) result = b;
    }
    return { result, frames };
  }
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

function hasRun({ free, pages }: Naive, order: number): boolean {
  const size = 1 << order;
  for (let first = HYP_POOL; first + size <= HYP_POOL + pages; first += 1) {
    if (first % size !== 0) continue;
    const run = Array.from({ length: size }, (_, i) => first + i);
    if (run.every((frame) => free.has(frame))) return true;
  }
  // pages from outside are never joined
  return order === 0 && free.size > 0;
}

type Command = fc.Command<Naive, Real>;

class Allocate implements Command {
  readonly order: number;
  constructor(order: number) {
    this.order = order;
  }
  check = (): boolean => true;
  run(naive: Naive, real: Real): void {
    const { result, frames } = real.call('allocate', [this.order]);
    const isPossible = hasRun(naive, this.order);
    check(result === (isPossible ? Result.Ok : Result.Exhausted), `result ${result}`);
    if (!isPossible) return;
    check(frames.length === 1 << this.order, `${frames.length} pages`);
    check(frames[0]! % frames.length === 0 || this.order === 0, 'aligned');
    for (const frame of frames) check(naive.free.delete(frame), `page ${frame} was not free`);
    naive.held.push({ frame: frames[0]!, order: this.order, references: 1 });
  }
  toString = (): string => `allocate ${this.order}`;
}

abstract class OnHeld implements Command {
  readonly index: number;
  abstract readonly operation: string;
  constructor(index: number) {
    this.index = index;
  }
  check = (): boolean => true;
  abstract effect(naive: Naive, block: Block): boolean;
  run(naive: Naive, real: Real): void {
    const { result } = real.call(this.operation, [this.index]);
    const block = naive.held[this.index % Math.max(1, naive.held.length)];
    const isDone = block !== undefined && this.effect(naive, block);
    check(result === (isDone ? Result.Ok : Result.Refused), `result ${result}`);
  }
  toString = (): string => `${this.operation} ${this.index}`;
}

class Get extends OnHeld {
  readonly operation = 'get';
  effect(_naive: Naive, block: Block): boolean {
    block.references += 1;
    return true;
  }
}

class Put extends OnHeld {
  readonly operation = 'put';
  effect(naive: Naive, block: Block): boolean {
    block.references -= 1;
    if (block.references > 0) return true;
    naive.held.splice(naive.held.indexOf(block), 1);
    for (let i = 0; i < 1 << block.order; i += 1) naive.free.add(block.frame + i);
    return true;
  }
}

class Split extends OnHeld {
  readonly operation = 'split';
  effect(naive: Naive, block: Block): boolean {
    if (block.references > 1) return false;
    const { frame, order } = block;
    block.order = 0;
    for (let i = 1; i < 1 << order; i += 1)
      naive.held.push({ frame: frame + i, order: 0, references: 1 });
    return true;
  }
}

class Adopt implements Command {
  check = (): boolean => true;
  run(naive: Naive, real: Real): void {
    const { result, frames } = real.call('adopt', []);
    const isDone = naive.brought < OUTSIDE_PAGES;
    check(result === (isDone ? Result.Ok : Result.Refused), `result ${result}`);
    if (!isDone) return;
    naive.brought += 1;
    naive.held.push({ frame: frames[0]!, order: 0, references: 1 });
  }
  toString = (): string => 'adopt';
}

const commands = fc.commands(
  [
    fc.integer({ min: 0, max: 3 }).map((order) => new Allocate(order)),
    fc.nat(5).map((index) => new Get(index)),
    fc.nat(5).map((index) => new Put(index)),
    fc.nat(5).map((index) => new Put(index)),
    fc.nat(5).map((index) => new Split(index)),
    fc.constant(new Adopt()),
  ],
  { maxCommands: 24 },
);

function holds(id: string, bugs: readonly string[], runs: number): fc.RunDetails<unknown> {
  const configuration = system.configurations.find((one) => one.id === id)!;
  const session = new Session(system, configuration, { bugs });
  const pages = id.includes('7') ? 7 : 8;
  const property = fc.property(commands, (list) => {
    const setup = () => {
      const free = new Set(Array.from({ length: pages }, (_, i) => HYP_POOL + i));
      return { model: { pages, free, held: [], brought: 0 }, real: new Real(session) };
    };
    fc.modelRun(setup, list);
  });
  return fc.check(property, { numRuns: runs, seed: 8 }) as fc.RunDetails<unknown>;
}

for (const id of ['pool-8', 'pool-8-exclusive', 'pool-7']) {
  test(`${id} answers like a naive allocator, whatever is asked`, (t) => {
    const details = holds(id, [], 150);
    t.false(details.failed, String(details.errorInstance));
  });
}

test('a limit that is too small, and a buddy of another order, are noticed', (t) => {
  t.true(holds('pool-8-exclusive', ['A52-max-order-too-small'], 50).failed);
  t.true(holds('pool-8', ['M19b-buddy-of-another-order'], 150).failed);
});

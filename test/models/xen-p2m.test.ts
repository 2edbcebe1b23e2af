/** The p2m of a domain, one operation after the other: what is mapped, at which level, and what is referenced. */
import test from 'ava';
import { configurationsOf } from '../../campaign/options.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { xenArm } from '../../models/xen-arm/index.ts';
import { knownForm, Type, typeOf } from '../../models/xen-arm/p2m-entry.ts';
import type { P2mWorld } from '../../models/xen-arm/p2m-world.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isValid } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';

type Step = readonly [actor: string, operation: string, ...args: number[]];

const VCPU = 'vcpu0';
const HOST = 'host';
const DEVICE = 'device0';

/** Plays operations of one actor in their order; no oracle objects. */
function play(steps: readonly Step[], configuration = 'p2m-toy', mapped = 2) {
  const [chosen] = configurationsOf(xenArm, configuration, undefined);
  const session = new Session(xenArm, chosen!);
  const actors = [...new Set(steps.map(([actor]) => actor))];
  const run = runPlan(session, {
    program: actors.map((actor) => ({
      actor,
      operations: steps.flatMap(([name, operation, ...args], i) =>
        name === actor ? [{ key: `o${i}`, operation, args }] : [],
      ),
    })),
    parameters: { mapped },
    order: [],
    choices: [],
  });
  if (run.violation !== undefined)
    throw new TypeError(`${run.violation.oracle} ${run.violation.rule}`);
  const { machine, world, directory } = session;
  const { trace, tables, memory } = machine;
  const rows = Array.from({ length: trace.count }, (_, row) => trace.at(row));
  const p2m = world as P2mWorld;
  return {
    results: rows
      .filter(({ kind, a }) => kind === Event.OperationEnd && !machine.course.isImplicit[a]!)
      .map(({ b }) => b),
    tree: tables.trees[0]!,
    allocated: rows.filter(({ kind, b }) => kind === Event.Allocate && b === Role.Table).length,
    faults: rows.filter(({ kind }) => kind === Event.Fault).length,
    sites: rows.map(({ site }) => directory.name(site)),
    references: (index: number): number =>
      memory.load(p2m.references(memory.load(p2m.foreign + index))),
    world: p2m,
    load: (word: number): number => memory.load(word),
  };
}

test('the type makes an entry known, whether hardware sees it or not', (t) => {
  t.is(knownForm(0), 0);
  t.is(typeOf(knownForm(Type.ForeignRo)), Type.ForeignRo);
  t.true(isValid(knownForm(Type.RamRw)));
});

test('C5: one page of a large block is taken away; the rest stays, as large as it can', (t) => {
  const { results, tree, load, world, allocated } = play([[HOST, 'remove-pages', 17, 1]]);
  t.deepEqual(results, [Result.Ok]);
  const base = frameOf(tree.entries[16]!);
  for (let page = 16; page < 32; page += 1) {
    t.is(isValid(tree.entries[page]!), page !== 17, `page ${page}`);
    if (page === 17) continue;
    t.is(frameOf(tree.entries[page]!), base + page - 16);
    t.is(tree.levels[page], page < 20 ? 3 : 2);
  }
  t.is(allocated, 2);
  t.deepEqual([load(world.shattered + 1), load(world.shattered + 2)], [1, 1]);
});

test('C11.10: a block that is removed as a whole needs no table', (t) => {
  const { results, allocated, tree } = play([[HOST, 'remove-pages', 16, 16]]);
  t.deepEqual(results, [Result.Ok]);
  t.is(allocated, 0);
  t.true(tree.entries.subarray(16, 32).every((entry) => entry === 0));
});

test('C3: what is left is part of the alignment, unlike in the hypervisor’s own tables', (t) => {
  const { tree } = play([[HOST, 'map-device', 16, 0, 5]], 'p2m-toy', 0);
  // five is odd: page by page from the start, until four are left at an odd address
  t.deepEqual([...tree.levels.subarray(16, 21)], [3, 3, 3, 3, 3]);
  const even = play([[HOST, 'map-device', 16, 0, 4]], 'p2m-toy', 0);
  t.is(even.tree.levels[16], 2);
});

test('C4: a block takes the place of a table, and its mappings and the table are freed', (t) => {
  const { results, tree, load, world } = play(
    [
      [HOST, 'map-foreign', 8, 0, 1],
      [HOST, 'add-memory', 8, 4],
    ],
    'p2m-toy',
    0,
  );
  t.deepEqual(results, [Result.Ok, Result.Ok]);
  t.is(tree.levels[8], 2);
  t.is(load(world.mappings + 3), 0);
});

test('C11.4: a mapping of another’s page holds a reference, removal and death give it back', (t) => {
  const mapped = play([[HOST, 'map-foreign', 8, 0, 1]]);
  t.is(mapped.references(0), 2);
  const removed = play([
    [HOST, 'map-foreign', 8, 0, 1],
    [HOST, 'remove-pages', 8, 1],
  ]);
  t.deepEqual(removed.results, [Result.Ok, Result.Ok]);
  t.is(removed.references(0), 1);
  const dead = play([
    [HOST, 'map-foreign', 8, 0, 4],
    [HOST, 'destroy'],
    [HOST, 'map-foreign', 8, 0, 1],
  ]);
  t.deepEqual(dead.results, [Result.Ok, Result.Ok, Result.Refused]);
  for (const index of [0, 1, 2, 3]) t.is(dead.references(index), 1);
});

test('amendment E20: a mapping replaced by one of the same frame gives its own reference back', (t) => {
  const { references, load, world } = play(
    [
      [HOST, 'map-foreign', 8, 0, 1],
      [HOST, 'map-foreign', 8, 0, 1],
    ],
    'p2m-toy',
    0,
  );
  t.is(references(0), 2);
  t.is(load(world.mappings + 3), 1);
});

test('C3: who believes that another frame is mapped is refused, and so is who takes registers for memory', (t) => {
  const { results } = play([
    [HOST, 'map-device', 2, 0, 1],
    [HOST, 'remove-pages', 0, 4],
    [HOST, 'unmap-device', 0, 4],
    [HOST, 'unmap-device', 2, 1],
  ]);
  t.deepEqual(results, [Result.Ok, Result.Invalid, Result.Invalid, Result.Ok]);
});

test('C9, E21: what tracking hides comes back one level per fault, and what is removed does not', (t) => {
  const { results, faults } = play([[HOST, 'track']]);
  t.deepEqual([results, faults], [[Result.Ok], 0]);
  const seen = play([[VCPU, 'read', 4]]);
  t.is(seen.faults, 0);
  const removed = play([
    [HOST, 'track'],
    [HOST, 'remove-pages', 4, 1],
  ]);
  t.is(removed.tree.entries[4], 0);
  t.true(isValid(removed.tree.entries[5]!));
});

test('C9: every page of a concatenated root is hidden', (t) => {
  const { world, load } = play(
    [
      [HOST, 'add-memory', 64, 1],
      [HOST, 'track'],
    ],
    'p2m-toy-concatenated',
  );
  for (const root of [0, 1]) {
    const word = world.machine.memory.address(world.rootFrame + root, 0);
    t.true(load(word) !== 0);
    t.false(isValid(load(word)));
  }
});

test('a domain that reboots begins with nothing, under its VMID', (t) => {
  const { results, tree, world } = play([
    [HOST, 'reboot'],
    [HOST, 'look-up', 0],
    [HOST, 'add-memory', 0, 1],
  ]);
  t.deepEqual(results, [Result.Ok, Result.Invalid, Result.Ok]);
  t.true(tree.loadable && world.rootFrame > 0);
  t.deepEqual([isValid(tree.entries[0]!), isValid(tree.entries[16]!)], [true, false]);
});

test('while accesses are monitored every page has an entry of its own', (t) => {
  const { results, tree } = play([[HOST, 'add-memory', 16, 4]], 'p2m-toy-monitored');
  t.deepEqual(results, [Result.Ok]);
  t.deepEqual([...tree.levels.subarray(16, 20)], [3, 3, 3, 3]);
});

test('a device reaches memory through the tables, and its faults are not resolved', (t) => {
  const { results } = play(
    [
      [DEVICE, 'dma-read', 0],
      [DEVICE, 'dma-read', 9],
    ],
    'p2m-toy-device',
  );
  t.deepEqual(results, [Result.Ok, Result.Refused]);
});

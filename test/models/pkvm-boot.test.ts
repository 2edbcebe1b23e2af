/** Boot of pkvm: what the review of seed document 004 asked, as far as it is not a case of the corpus. */
import test from 'ava';
import fc from 'fast-check';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { FINALISE_PAGE, mappings, stackPage } from '../../models/pkvm/boot-layout.ts';
import type { PkvmWorld } from '../../models/pkvm/world.ts';
import { Allocator, Tree } from '../../models/pkvm/world.ts';
import { findSystem } from '../../models/registry.ts';
import { EXEC, frameOf, isValid, WRITE } from '../../sim/descriptor.ts';

const system = findSystem('pkvm')!;

function booted(id: string): Session {
  const configuration = system.configurations.find((one) => one.id === id)!;
  const session = new Session(system, configuration);
  const operations = [{ key: 'i1', operation: 'init', args: [] }];
  const program = [{ actor: 'vcpu0', operations }];
  const { violation } = runPlan(session, { program, parameters: {}, order: [], choices: [] });
  if (violation !== undefined) throw new Error(violation.rule);
  return session;
}

test('the mask of an aligned address says the same as the remainder, for every page size', (t) => {
  const address = fc.bigInt({ min: 0n, max: (1n << 52n) - 1n });
  const property = fc.property(address, fc.constantFrom(12n, 14n, 16n), (value, shift) => {
    const page = 1n << shift;
    return (value % page === 0n) === ((value & (page - 1n)) === 0n);
  });
  t.notThrows(() => fc.assert(property, { numRuns: 2000, seed: 4 }));
});

for (const id of ['boot-toy', 'boot-toy-delayed']) {
  test(`${id}: the new tables map what was asked for and nothing else`, (t) => {
    const { machine } = booted(id);
    const { entries } = machine.tables.trees[Tree.Hyp]!;
    const expected = new Map(
      mappings(machine.spec.pes, false).map(({ page, leaf }) => [page, leaf]),
    );
    t.true(expected.size > 10);
    entries.forEach((entry, page) => {
      t.is(entry, expected.get(page) ?? 0, `page ${page}`);
    });
  });

  test(`${id}: the CPU runs with the new tables, and the pool serves them`, (t) => {
    const { machine, world } = booted(id);
    const { root } = machine.tables.trees[Tree.Hyp]!;
    const [pe] = machine.pes;
    t.true(pe!.mmu);
    t.is(pe!.ttbr0 >>> 8, root);
    t.is(machine.memory.load((world as PkvmWorld).allocator), Allocator.Pool);
  });
}

test('K1, K4: nothing is writable and executable, and nothing lies below a stack', (t) => {
  const { machine } = booted('boot-toy');
  const { entries } = machine.tables.trees[Tree.Hyp]!;
  for (const entry of entries) t.false((entry & WRITE) !== 0 && (entry & EXEC) !== 0);
  for (let cpu = 0; cpu < machine.spec.pes; cpu += 1) {
    t.true(isValid(entries[stackPage(cpu)]!));
    t.is(entries[stackPage(cpu) - 1], 0);
  }
  t.is(frameOf(entries[FINALISE_PAGE]!), FINALISE_PAGE);
});
